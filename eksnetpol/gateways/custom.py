"""Custom kinds of others: what is asked for, and how much of each spec comes through."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec.structs import force_setattr, replace

from eksnetpol.gateways.kubernetes_lists import Resource
from eksnetpol.gateways.sanitize import managed, plain
from eksnetpol.model import admin_policies
from eksnetpol.model import kubernetes as k8s
from eksnetpol.model.admin_policies import AdminPolicy
from eksnetpol.model.foreign import ForeignPolicy, foreign_policy
from eksnetpol.policy.validation import unknown_member

Shape = Callable[[dict[str, Any]], dict[str, Any]]

AWS = "networking.k8s.aws"
APPLICATION_POLICIES = Resource("applicationnetworkpolicies", AWS, "v1alpha1")
CLUSTER_POLICIES = Resource("clusternetworkpolicies", AWS, "v1alpha1")
POLICY_ENDPOINTS = Resource("policyendpoints", AWS, "v1alpha1")
CLUSTER_POLICY_ENDPOINTS = Resource("clusterpolicyendpoints", AWS, "v1alpha1")
ADMIN_POLICIES = Resource("adminnetworkpolicies", admin_policies.GROUP, "v1alpha1")
BASELINE_ADMIN_POLICIES = Resource("baselineadminnetworkpolicies", admin_policies.GROUP, "v1alpha1")
UPSTREAM_CLUSTER_POLICIES = Resource("clusternetworkpolicies", admin_policies.GROUP, "v1alpha2")
SECURITY_GROUP_POLICIES = Resource("securitygrouppolicies", "vpcresources.k8s.aws", "v1beta1")
ENI_CONFIGS = Resource("eniconfigs", "crd.k8s.amazonaws.com", "v1alpha1")
NETWORK_ATTACHMENTS = Resource("network-attachment-definitions", "k8s.cni.cncf.io")
NODE_CLASSES = Resource("nodeclasses", "eks.amazonaws.com")
INSTALLATIONS = Resource("installations", "operator.tigera.io")
FELIX = Resource("felixconfigurations", "crd.projectcalico.org")
FELIX_V3 = Resource("felixconfigurations", "projectcalico.org", "v3")
KYVERNO_POLICIES = Resource("clusterpolicies", "kyverno.io")
CONSTRAINTS = Resource("*", "constraints.gatekeeper.sh", "v1beta1")
SERVICE_MONITORS = Resource("servicemonitors", "monitoring.coreos.com")
POD_MONITORS = Resource("podmonitors", "monitoring.coreos.com")

_CALICO = (
    "globalnetworkpolicies",
    "globalnetworksets",
    "hostendpoints",
    "networkpolicies",
    "networksets",
    "stagedglobalnetworkpolicies",
    "stagedkubernetesnetworkpolicies",
    "stagednetworkpolicies",
    "tiers",
)
# Calico serves the same kinds as its own objects and, through its API server, under the shorter group.

FOREIGN: Mapping[str, tuple[str, ...]] = {
    "crd.projectcalico.org": _CALICO,
    "projectcalico.org": _CALICO,
    "cilium.io": (
        "ciliumcidrgroups",
        "ciliumclusterwideenvoyconfigs",
        "ciliumclusterwidenetworkpolicies",
        "ciliumegressgatewaypolicies",
        "ciliumenvoyconfigs",
        "ciliumlocalredirectpolicies",
        "ciliumnetworkpolicies",
    ),
    "crd.antrea.io": ("clustergroups", "clusternetworkpolicies", "egresses", "groups", "networkpolicies", "tiers"),
    admin_policies.GROUP: ("adminnetworkpolicies", "baselineadminnetworkpolicies", "clusternetworkpolicies"),
}
"""Kinds that say what may flow, but not to the VPC CNI, by group. All are counted; only those of the last group are read too."""

_WITHOUT_POLICIES = (
    "ciliumclusterwideenvoyconfigs",
    "ciliumegressgatewaypolicies",
    "ciliumenvoyconfigs",
    "ciliumlocalredirectpolicies",
    "egresses",
)
# They steer traffic and let nothing through or out; and what proxies are told may be anybody's secret.

FOREIGN_POLICIES: tuple[Resource, ...] = tuple(
    Resource(plural, group)
    for group, plurals in FOREIGN.items()
    for plural in plurals
    if group != admin_policies.GROUP and plural not in _WITHOUT_POLICIES
)
"""Kinds of other engines that are read whole: policies, and what these refer to."""

FOREIGN_KINDS: tuple[Resource, ...] = tuple(Resource(plural, group) for group, plurals in FOREIGN.items() for plural in plurals)


# --- how much of a spec comes through ---------------------------------------------------------------------------------


def nothing(_: dict[str, Any]) -> dict[str, Any]:
    """Keep nothing: that the object exists is the news."""
    return {}


def everything(spec: dict[str, Any]) -> dict[str, Any]:
    """Keep the whole spec: the kind has only settings."""
    return spec


def only(*keys: str) -> Shape:
    """Keep members called *keys*."""
    return lambda spec: {key: spec[key] for key in keys if key in spec}


def scraped_ports(spec: dict[str, Any]) -> dict[str, Any]:
    """Keep which ports are scraped, and at which pods or Services."""
    kept = only("selector", "namespaceSelector")(spec)
    for key in ("endpoints", "podMetricsEndpoints"):
        if key in spec:
            kept[key] = [only("port", "targetPort", "portNumber", "path")(entry) for entry in spec[key]]
    return kept


def kyverno(spec: dict[str, Any]) -> dict[str, Any]:
    """Keep what a policy matches and whether it blocks, not what it demands."""
    kept = only("validationFailureAction", "failurePolicy", "background", "webhookConfiguration")(spec)
    kept["rules"] = [
        only("name", "match", "exclude")(rule)
        | {"does": sorted({"validate", "mutate", "generate", "verifyImages"} & set(rule))}
        | {"failureAction": rule.get("validate", {}).get("failureAction", "")}
        for rule in spec.get("rules", [])
    ]
    return kept


def custom(kind: str, resource: Resource, shape: Shape) -> Callable[[k8s.CustomObject], k8s.CustomObject]:
    """Return what makes of a decoded object of *resource* one that may leave: lists do not carry kind and version."""

    def clean(found: k8s.CustomObject) -> k8s.CustomObject:
        plain(found)
        force_setattr(found, "kind", kind)
        force_setattr(found, "api_version", f"{resource.group}/{resource.version}")
        force_setattr(found, "spec", shape(found.spec))
        force_setattr(found, "status", only("conditions")(found.status))
        return found

    return clean


def admin_policy(kind: str, resource: Resource) -> Callable[[AdminPolicy, Any], AdminPolicy]:
    """Return what makes of a decoded policy, and of the object as it was written, one that may leave.

    It has what lists do not carry, its tier, and where something is unknown in it.
    """

    def clean(found: AdminPolicy, raw: Any) -> AdminPolicy:
        managed(found)
        force_setattr(found, "unknown_member", unknown_member(resource.group, kind, raw))
        force_setattr(found, "kind", kind)
        force_setattr(found, "api_version", f"{resource.group}/{resource.version}")
        if kind in admin_policies.TIERS:
            force_setattr(found, "spec", replace(found.spec, tier=admin_policies.TIERS[kind]))
        return found

    return clean


def foreign(kind: str, resource: Resource) -> Callable[[dict[str, Any]], ForeignPolicy]:
    """Return what makes of an object of *resource* the one that is kept: lists do not carry kind and version."""
    version = f"{resource.group}/{resource.version}"
    return lambda found: foreign_policy(found, version, kind)


CALICO_GROUPS = ("projectcalico.org", "crd.projectcalico.org")
"""Where Calico keeps its objects: newer installs define the kinds that people write, older ones those behind its API server."""


def calico_groups(crds: tuple[k8s.CustomResourceDefinition, ...]) -> frozenset[str]:
    """Return the group that Calico's own objects are in, going by the definitions; none where there is no Calico."""
    defined = {crd.spec.group for crd in crds if crd.is_established}
    return frozenset([group for group in CALICO_GROUPS if group in defined][:1])


# --- which kinds there are --------------------------------------------------------------------------------------------


class Served(msgspec.Struct, frozen=True):
    """A resource at a version that the API server serves, and its kind."""

    resource: Resource
    kind: str


def served(crds: tuple[k8s.CustomResourceDefinition, ...], wanted: Resource) -> tuple[Served, ...]:
    """Return where *wanted* is served, if it is: at its own version, else at the one that is stored.

    A plural ``*`` stands for every kind of the group. A kind that is not established yet has no objects.
    """
    found = []
    for crd in crds:
        spec = crd.spec
        if spec.group != wanted.group or wanted.plural not in {"*", spec.names.plural} or not crd.is_established:
            continue
        versions = sorted((v for v in spec.versions if v.served), key=lambda v: (v.name != wanted.version, not v.storage))
        if versions:
            at = replace(wanted, plural=spec.names.plural, version=versions[0].name)
            found.append(Served(at, spec.names.kind))
    return tuple(sorted(found, key=lambda s: s.resource.plural))
