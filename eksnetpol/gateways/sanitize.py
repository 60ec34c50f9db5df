"""What leaves the door: of annotations, environments and ConfigMaps only what a check reads, and why it does.

Everything else stays outside, so that a snapshot can be sent to somebody else without looking through it first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import msgspec
from msgspec.structs import force_setattr, replace

from eksnetpol.model import kubernetes as k8s
from eksnetpol.simulation.configuration_schema import CONFIGURABLE_ENV

ANNOTATIONS: Mapping[str, str] = {
    "vpc.amazonaws.com/pod-ips": "ANNOTATE_POD_IP is at work; the controller falls back on it while the status has no address",
    "vpc.amazonaws.com/pod-eni": "the pod has a branch interface of its own: security groups for pods",
    "k8s.v1.cni.cncf.io/networks": "the pod has further interfaces, which no policy reaches",
    "k8s.amazonaws.com/nicConfig": "the pod asks for an interface per network card",
    "kubernetes.io/config.mirror": "a static pod: nothing owns it, and that is right",
    "kubernetes.io/ingress-bandwidth": "the bandwidth plug-in and the agent both use traffic control",
    "kubernetes.io/egress-bandwidth": "the bandwidth plug-in and the agent both use traffic control",
    "eks.amazonaws.com/role-arn": "pods with a role of their own do not need the instance metadata service",
    "helm.sh/resource-policy": "Helm keeps this object when its release goes",
    "linkerd.io/inject": "a sidecar speaks for the pod, on ports of its own",
    "controller-gen.kubebuilder.io/version": "tells releases of a CustomResourceDefinition apart",
    "alb.ingress.kubernetes.io/target-type": "with target type ip the load balancer's own addresses reach the pod",
}
"""Annotations that come through, and what their reader learns from them."""

ANNOTATION_PREFIXES: Mapping[str, str] = {
    "meta.helm.sh/": "which Helm release an object belongs to",
    "argocd.argoproj.io/": "Argo CD manages the object, and may prune it",
    "kustomize.toolkit.fluxcd.io/": "Flux manages the object, and may prune it",
    "helm.toolkit.fluxcd.io/": "a Flux HelmRelease manages the object",
    "velero.io/": "the object came out of, or goes into, a back-up",
    "service.beta.kubernetes.io/aws-load-balancer-": "how a load balancer reaches the pods behind a Service",
    "prometheus.io/": "who scrapes which port",
    "networking.k8s.aws/": "the policy controller's own notes",
    "istio.io/": "a mesh carries the traffic of these pods",
    "ambient.istio.io/": "a mesh carries the traffic of these pods",
    "waive.eksnetpol.io/": "waivers for this tool's own checks",
    "eksnetpol.io/": "this tool's own notes",
}
"""Beginnings of annotations that come through, and what their reader learns from them."""

_AWS_NODE_ENV = CONFIGURABLE_ENV | {
    "CLUSTER_NAME",
    "DISABLE_TCP_EARLY_DEMUX",
    "ENABLE_IMDS_ONLY_MODE",
    "ENABLE_IPv4",
    "ENABLE_IPv6",
    "ENABLE_MULTI_NIC",
    "ENABLE_SUBNET_DISCOVERY",
    "NETWORK_POLICY_ENFORCING_MODE",
    "POD_MTU",
    "VPC_CNI_VERSION",
    "VPC_ID",
}


class Openness(msgspec.Struct, frozen=True):
    """What comes through of a DaemonSet's containers: values of these variables, and their arguments or not."""

    env: frozenset[str] = frozenset()
    env_prefixes: tuple[str, ...] = ()
    args: bool = False


DAEMONSETS: Mapping[str, Openness] = {
    "aws-node": Openness(env=_AWS_NODE_ENV, args=True),
    "calico-node": Openness(env_prefixes=("FELIX_", "CALICO_")),
    "canal": Openness(env_prefixes=("FELIX_", "CALICO_")),
    "cilium": Openness(args=True),
    "kube-router": Openness(args=True),
}
"""DaemonSets this tool reasons about, by name. Of all other workloads neither environment nor arguments come through."""

_CLOSED = Openness()


@lru_cache(maxsize=4096)
def _comes_through(key: str) -> bool:
    return key in ANNOTATIONS or key.startswith(tuple(ANNOTATION_PREFIXES))


def kept_annotations(found: Mapping[str, str]) -> dict[str, str]:
    """Return those of *found* that come through."""
    return {key: value for key, value in found.items() if _comes_through(key)}


def _meta(meta: k8s.ObjectMeta, *, managers: bool = False, fields: bool = False) -> None:
    # The values were decoded a moment ago and nobody else has them yet: changing them here is making them.
    if meta.annotations:
        force_setattr(meta, "annotations", kept_annotations(meta.annotations))
    if meta.managed_fields and not fields:
        kept = tuple(replace(m, fields_v1=None) for m in meta.managed_fields) if managers else ()
        force_setattr(meta, "managed_fields", kept)


def plain(found: Any) -> Any:
    """Return *found*, an object with metadata, its annotations filtered and without managers."""
    _meta(found.metadata)
    return found


def managed(found: Any) -> Any:
    """Return *found*, its annotations filtered; who wrote it stays known, but not which fields."""
    _meta(found.metadata, managers=True)
    return found


def container(found: k8s.Container, openness: Openness = _CLOSED) -> k8s.Container:
    """Return *found* with as much of its environment and arguments as *openness* lets through.

    A variable whose value does not come through keeps its name, without a value.
    """
    if openness is _CLOSED:
        return replace(found, env=(), args=()) if found.env or found.args else found
    return replace(found, env=tuple(_variable(e, openness) for e in found.env), args=found.args if openness.args else ())


def _variable(found: k8s.EnvVar, openness: Openness) -> k8s.EnvVar:
    if found.value_from is not None or not (found.name in openness.env or found.name.startswith(openness.env_prefixes)):
        return k8s.EnvVar(found.name)
    # The API server leaves an empty value out, which is no value from elsewhere: ipamd exits for an empty mode.
    return k8s.EnvVar(found.name, found.value or "")


def workload(kind: str) -> Callable[[k8s.Workload], k8s.Workload]:
    """Return what makes of a decoded workload one of *kind* that may leave."""

    def clean(found: k8s.Workload) -> k8s.Workload:
        openness = DAEMONSETS.get(found.name, _CLOSED) if kind == "DaemonSet" else _CLOSED
        _meta(found.metadata, fields=kind == "DaemonSet" and found.name == "aws-node")
        _meta(found.spec.template.metadata)
        spec = found.spec.template.spec
        force_setattr(spec, "containers", tuple(container(c, openness) for c in spec.containers))
        force_setattr(spec, "init_containers", tuple(container(c, openness) for c in spec.init_containers))
        force_setattr(found, "kind", kind)
        return found

    return clean


def agent_pod(found: k8s.AgentPod) -> k8s.AgentPod:
    """Return a pod of the agent, its containers open as those of its DaemonSet are."""
    _meta(found.metadata)
    opened = tuple(container(c, DAEMONSETS["aws-node"]) for c in found.spec.containers)
    force_setattr(found.spec, "containers", opened)
    return found


# --- ConfigMaps -------------------------------------------------------------------------------------------------------

CONFIGMAPS: Mapping[str, Mapping[str, str]] = {
    "amazon-vpc-cni": {
        "enable-network-policy-controller": "the controller's switch",
        "enable-windows-ipam": "Windows nodes get their addresses from the VPC",
        "enable-windows-prefix-delegation": "Windows nodes get prefixes",
        "warm-prefix-target": "shown when the ConfigMap is compared",
        "warm-ip-target": "shown when the ConfigMap is compared",
        "minimum-ip-target": "shown when the ConfigMap is compared",
        "branch-eni-cooldown": "shown when the ConfigMap is compared",
    },
    "cilium-config": {
        "cni-chaining-mode": "whether Cilium is chained behind the VPC CNI",
        "cni-exclusive": "whether Cilium removes other CNI configuration",
        "routing-mode": "overlay or native",
        "tunnel": "overlay or native, as older releases say it",
        "tunnel-protocol": "which overlay",
        "ipam": "who gives out addresses",
        "enable-policy": "whether Cilium enforces",
        "policy-audit-mode": "whether it only reports",
        "policy-cidr-match-mode": "whether CIDRs select nodes",
        "kube-proxy-replacement": "whether Services need Cilium",
        "enable-ipv4": "family",
        "enable-ipv6": "family",
        "enable-ipv4-masquerade": "mode",
        "enable-endpoint-routes": "mode",
        "enable-host-firewall": "whether nodes are policed",
        "enable-l7-proxy": "whether L7 rules work",
        "enable-wireguard": "encryption that goes with Cilium",
        "enable-ipsec": "encryption that goes with Cilium",
        "identity-allocation-mode": "where identities are kept",
        "enable-k8s-networkpolicy": "whether standard policies are enforced",
        "enable-cilium-network-policy": "whether its own policies are enforced",
        "enable-cilium-clusterwide-network-policy": "whether its own policies are enforced",
        "policy-default-local-cluster": "whether peers are of the own cluster",
        "cluster-name": "the name of the own cluster",
        "cluster-id": "whether there can be other clusters beside it in a mesh",
        "allow-localhost": "whether the own node always may",
        "enable-node-selector-labels": "whether policies select nodes by labels",
        "enable-icmp-rules": "whether rules for ICMP work",
        "enable-extended-ip-protocols": "whether policies name protocols without ports",
        "labels": "which labels count in policies",
    },
    "kube-proxy-config": {"config": "mode of kube-proxy"},
    "kube-proxy": {"config.conf": "mode of kube-proxy"},
    "calico-config": {
        "calico_backend": "whether Calico routes",
        "typha_service_name": "whether Typha stands between",
        "veth_mtu": "interface size",
    },
}
"""ConfigMaps that are read, with the keys that come through and what they tell: of ``kube-system``, but for `ANYWHERE`."""

ANYWHERE = ("cilium-config",)
"""Names of those that are read in whatever namespace they are: Cilium's chart can be installed into any."""

LOG_SHIPPERS = ("fluent-bit", "fluent-bit-config", "aws-for-fluent-bit", "fluent-bit-config-aws", "aws-logging")
"""Names, in any namespace, of ConfigMaps that say which files Fluent Bit ships."""

_PATH_LINE = re.compile(r"^\s*-?\s*[\"']?(path|exclude_path)[\"']?\s*[:=\s]\s*\S.*$", re.IGNORECASE | re.MULTILINE)


def config_map(found: k8s.ConfigMap) -> k8s.ConfigMap:
    """Return *found* with the keys that are read; of a log shipper's configuration only the lines that name paths."""
    name = found.metadata.name
    if name in CONFIGMAPS:
        data = {key: value for key, value in found.data.items() if key in CONFIGMAPS[name]}
    else:
        lines = {key: [m.group().strip() for m in _PATH_LINE.finditer(text)] for key, text in found.data.items()}
        data = {key: "\n".join(paths) for key, paths in lines.items() if paths}
    _meta(found.metadata, managers=True, fields=name == "amazon-vpc-cni")
    return replace(found, data=data)
