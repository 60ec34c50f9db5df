"""Which kinds are read from files, into which section of a snapshot, and how much of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec
from msgspec.structs import force_setattr

from eksnetpol.gateways import custom, sanitize
from eksnetpol.gateways.kubernetes import ROLES, WireCrd, WireCronJob, WireRevision, crd_of, revision_of, workload_of
from eksnetpol.gateways.kubernetes_lists import Resource
from eksnetpol.gateways.manifest_objects import TOO_DEEP, Found
from eksnetpol.model import admin_policies
from eksnetpol.model import kubernetes as k8s
from eksnetpol.model import policies as pol
from eksnetpol.model.foreign import foreign_policy
from eksnetpol.model.nulls import is_deeper

Clean = Callable[[Any], Any]
Key = tuple[str, str]
"""Group and kind: kinds of one name exist in several groups."""


@dataclass(frozen=True)
class Reading:
    """How objects of a kind are read. ``clean`` makes of the decoded object the one that is kept, None where it is not."""

    section: str
    type: Any
    clean: Clean
    namespaced: bool = True

    @cached_property
    def decoder(self) -> msgspec.json.Decoder[Any]:
        """What decodes them."""
        return msgspec.json.Decoder(self.type)

    def read(self, found: Found) -> Any:
        """Return what *found* amounts to, None where nothing reads it; raise `UnreadableInput` where it is malformed."""
        thing = found.decode(self.decoder)
        meta = thing.metadata
        named(meta, found, namespaced=self.namespaced)
        try:
            return self.clean(thing)
        except (AttributeError, TypeError, ValueError) as error:
            # Kinds of others are kept as they come, so nobody has looked at the types of their members before.
            raise found.wrong(f"this has not the shape of a {found.kind} ({error})") from error


def named(meta: Any, found: Found, *, namespaced: bool) -> None:
    """Give decoded *meta* the name and namespace it gets from the API server; raise `UnreadableInput` without any name.

    ``default`` is the namespace that `kubectl` takes where neither the object nor a flag says one.
    """
    if not meta.name:
        prefix = msgspec.json.decode(found.data, type=_Generated).metadata.generateName
        if not prefix:
            raise found.wrong("metadata.name is missing")
        force_setattr(meta, "name", f"{prefix}xxxxx")
    if namespaced and not meta.namespace:
        force_setattr(meta, "namespace", "default")
    elif not namespaced and meta.namespace:
        force_setattr(meta, "namespace", "")


class _Metadata(msgspec.Struct):
    metadata: k8s.ObjectMeta = k8s.ObjectMeta()


_DEEPEST = 250
"""So many levels documents of YAML may have; readers of other engines' policies go down level by level."""


@dataclass(frozen=True)
class ForeignReading(Reading):
    """How policies of another engine are read: whole."""

    def read(self, found: Found) -> Any:
        """Return *found* as it was written, with the name and namespace it gets; raise `UnreadableInput` as `Reading.read`."""
        meta = found.decode(self.decoder).metadata
        named(meta, found, namespaced=self.namespaced)
        whole = msgspec.json.decode(found.data)
        if is_deeper(whole, _DEEPEST):
            raise found.wrong(TOO_DEEP)
        whole["metadata"] = {**whole["metadata"], "name": meta.name, **({"namespace": meta.namespace} if meta.namespace else {})}
        return foreign_policy(whole, f"{found.group}/{found.version}", found.kind)


@dataclass(frozen=True)
class AdminReading(Reading):
    """How policies of ``policy.networking.k8s.io`` are read: with what is unknown in them."""

    def read(self, found: Found) -> Any:
        """Return *found* as `Reading.read`."""
        thing = found.decode(self.decoder)
        named(thing.metadata, found, namespaced=False)
        clean = custom.admin_policy(found.kind, Resource("", found.group, found.version))
        return clean(thing, msgspec.json.decode(found.data))


class _GenerateName(msgspec.Struct):
    generateName: str | None = None  # noqa: N815 - the API's name


class _Generated(msgspec.Struct):
    metadata: _GenerateName = msgspec.field(default_factory=_GenerateName)


# --- what is kept -----------------------------------------------------------------------------------------------------


def _of_kind(kind: str) -> Clean:
    def clean(found: Any) -> Any:
        sanitize.plain(found)
        force_setattr(found, "kind", kind)
        return found

    return clean


def _configmap(found: k8s.ConfigMap) -> k8s.ConfigMap | None:
    meta = found.metadata
    known = meta.name in sanitize.CONFIGMAPS and (meta.namespace == "kube-system" or meta.name in sanitize.ANYWHERE)
    return sanitize.config_map(found) if known or meta.name in sanitize.LOG_SHIPPERS else None


def _role(found: Any) -> Any:
    return sanitize.managed(found) if found.metadata.name in ROLES else None


def _agent_revision(found: WireRevision) -> k8s.ControllerRevision | None:
    meta = found.metadata
    owned = any(o.name == "aws-node" for o in meta.owner_references)
    return revision_of(found) if meta.namespace == "kube-system" and owned else None


def _cron_job(found: WireCronJob) -> k8s.Workload:
    return sanitize.workload("CronJob")(workload_of(found))


def _workload(section: str, kind: str) -> Reading:
    return Reading(section, k8s.Workload, sanitize.workload(kind))


_RBAC = "rbac.authorization.k8s.io"
_ADMISSION = "admissionregistration.k8s.io"

STANDARD: Mapping[Key, Reading] = {
    ("", "Node"): Reading("nodes", k8s.Node, sanitize.plain, namespaced=False),
    ("", "Namespace"): Reading("namespaces", k8s.Namespace, sanitize.plain, namespaced=False),
    ("", "Service"): Reading("services", k8s.Service, sanitize.plain),
    ("", "ServiceAccount"): Reading("service_accounts", k8s.ServiceAccount, sanitize.plain),
    ("", "ConfigMap"): Reading("configmaps", k8s.ConfigMap, _configmap),
    ("apps", "DaemonSet"): _workload("daemonsets", "DaemonSet"),
    ("apps", "Deployment"): _workload("deployments", "Deployment"),
    ("apps", "StatefulSet"): _workload("statefulsets", "StatefulSet"),
    ("apps", "ControllerRevision"): Reading("controller_revisions", WireRevision, _agent_revision),
    ("batch", "Job"): _workload("jobs", "Job"),
    ("batch", "CronJob"): Reading("cronjobs", WireCronJob, _cron_job),
    ("discovery.k8s.io", "EndpointSlice"): Reading("endpoint_slices", k8s.EndpointSlice, sanitize.plain),
    ("policy", "PodDisruptionBudget"): Reading("disruption_budgets", k8s.DisruptionBudget, sanitize.plain),
    ("networking.k8s.io", "NetworkPolicy"): Reading("network_policies", pol.NetworkPolicy, sanitize.plain),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): Reading("crds", WireCrd, crd_of, namespaced=False),
    (_RBAC, "ClusterRole"): Reading("cluster_roles", k8s.ClusterRole, _role, namespaced=False),
    (_RBAC, "ClusterRoleBinding"): Reading("cluster_role_bindings", k8s.ClusterRoleBinding, _role, namespaced=False),
    (_ADMISSION, "ValidatingAdmissionPolicy"): Reading(
        "admission_policies", k8s.AdmissionPolicy, sanitize.plain, namespaced=False
    ),
    (_ADMISSION, "ValidatingAdmissionPolicyBinding"): Reading(
        "admission_bindings", k8s.AdmissionPolicyBinding, sanitize.plain, namespaced=False
    ),
    **{
        (_ADMISSION, kind): Reading("webhooks", k8s.WebhookConfiguration, _of_kind(kind), namespaced=False)
        for kind in ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")
    },
    ("apiregistration.k8s.io", "APIService"): Reading("api_services", k8s.ApiService, sanitize.plain, namespaced=False),
    (custom.AWS, "ApplicationNetworkPolicy"): Reading("application_policies", pol.NetworkPolicy, sanitize.managed),
    (custom.AWS, "ClusterNetworkPolicy"): Reading(
        "cluster_policies", pol.ClusterNetworkPolicy, sanitize.managed, namespaced=False
    ),
    (custom.AWS, "PolicyEndpoint"): Reading("policy_endpoints", pol.PolicyEndpoint, sanitize.managed),
    (custom.AWS, "ClusterPolicyEndpoint"): Reading(
        "cluster_policy_endpoints", pol.PolicyEndpoint, sanitize.managed, namespaced=False
    ),
}
"""Kinds whose every member that is read has a type."""

_CALICO = custom.only("variant", "cni", "kubernetesProvider", "calicoNetwork", "typhaMetricsPort", "calicoNodeDaemonSet")
_NODE_CLASS = custom.only("networkPolicy", "networkPolicyEventLogs", "advancedNetworking", "snatPolicy")
_CONSTRAINT = custom.only("enforcementAction", "match")

OF_OTHERS: Mapping[Key, tuple[str, custom.Shape, bool]] = {
    ("vpcresources.k8s.aws", "SecurityGroupPolicy"): ("security_group_policies", custom.everything, True),
    ("crd.k8s.amazonaws.com", "ENIConfig"): ("eni_configs", custom.everything, False),
    ("k8s.cni.cncf.io", "NetworkAttachmentDefinition"): ("network_attachments", custom.nothing, True),
    ("eks.amazonaws.com", "NodeClass"): ("node_classes", _NODE_CLASS, False),
    ("operator.tigera.io", "Installation"): ("engine_settings", _CALICO, False),
    ("crd.projectcalico.org", "FelixConfiguration"): ("engine_settings", custom.everything, False),
    ("projectcalico.org", "FelixConfiguration"): ("engine_settings", custom.everything, False),
    ("kyverno.io", "ClusterPolicy"): ("admission_engines", custom.kyverno, False),
    ("monitoring.coreos.com", "ServiceMonitor"): ("scrapers", custom.scraped_ports, True),
    ("monitoring.coreos.com", "PodMonitor"): ("scrapers", custom.scraped_ports, True),
}
"""Kinds of others: the section, how much of the spec is kept, and whether they have a namespace."""


_OF_CLUSTERS = frozenset(
    {"GlobalNetworkPolicy", "GlobalNetworkSet", "HostEndpoint", "StagedGlobalNetworkPolicy", "Tier", "CiliumCIDRGroup",
     "CiliumClusterwideNetworkPolicy", "ClusterGroup", "ClusterNetworkPolicy"}
)  # fmt: skip

_CALICO_KINDS = (
    "GlobalNetworkPolicy", "GlobalNetworkSet", "HostEndpoint", "NetworkPolicy", "NetworkSet", "StagedGlobalNetworkPolicy",
    "StagedKubernetesNetworkPolicy", "StagedNetworkPolicy", "Tier",
)  # fmt: skip

_GROUPS = (*custom.CALICO_GROUPS, "cilium.io", "isovalent.com", "crd.antrea.io")

FOREIGN: Mapping[Key, bool] = {
    (group, kind): kind not in _OF_CLUSTERS
    for groups, kinds in (
        (custom.CALICO_GROUPS, _CALICO_KINDS),
        (("cilium.io",), ("CiliumCIDRGroup", "CiliumClusterwideNetworkPolicy", "CiliumNetworkPolicy")),
        (("crd.antrea.io",), ("ClusterGroup", "ClusterNetworkPolicy", "Group", "NetworkPolicy", "Tier")),
    )
    for group in groups
    for kind in kinds
}
"""Kinds of other engines that are read whole, and whether they have a namespace."""


def reading_of(found: Found) -> Reading | None:
    """Return how *found* is read, None where nobody reads its kind."""
    key = (found.group, found.kind)
    if key in STANDARD:
        return STANDARD[key]
    if found.group == admin_policies.GROUP and found.kind in admin_policies.KINDS:
        return AdminReading("admin_policies", admin_policies.AdminPolicy, lambda whole: whole, namespaced=False)
    if key in FOREIGN or is_foreign_policy(found):
        namespaced = FOREIGN.get(key, bool(found.namespace))
        return ForeignReading("foreign_policies", _Metadata, lambda whole: whole, namespaced=namespaced)
    section, shape, namespaced = OF_OTHERS.get(key, ("", custom.nothing, False))
    if found.group == custom.CONSTRAINTS.group:
        section, shape = "admission_engines", _CONSTRAINT
    if not section:
        return None
    clean: Clean = custom.custom(found.kind, Resource("", found.group, found.version), shape)
    return Reading(section, k8s.CustomObject, clean, namespaced)


def is_foreign_policy(found: Found) -> bool:
    """Say whether *found* is of a kind of policies that another engine has, known or not: its reader says what it is not."""
    return found.group in _GROUPS and found.kind.endswith("NetworkPolicy")


def foreign_plural(found: Found) -> str:
    """Return the plural of a kind with which another engine says what may flow, an empty text for all other kinds."""
    word = found.kind.lower()
    plural = f"{word[:-1]}ies" if word.endswith("y") else f"{word}es" if word.endswith("s") else f"{word}s"
    return plural if plural in custom.FOREIGN.get(found.group, ()) else ""
