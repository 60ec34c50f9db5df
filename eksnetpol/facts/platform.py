"""The cluster's version, family and kinds of nodes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from eksnetpol.facts.declare import fact
from eksnetpol.model.eks import Cluster
from eksnetpol.model.kubernetes import Node, Service
from eksnetpol.model.snapshot import Unread, Why
from eksnetpol.model.versions import KubernetesVersion
from eksnetpol.policy.addresses import family_of

_KERNEL = re.compile(r"(\d+)\.(\d+)")
_RELEASE_DATE = re.compile(r"(\d{8})")


@fact
def kubernetes_version(cluster: Cluster | Unread, server_version: str | Unread) -> KubernetesVersion | Unread:
    """What EKS says the control plane runs, else what the API server says of itself."""
    said = cluster.version if isinstance(cluster, Cluster) and cluster.version else server_version
    if isinstance(said, Unread):
        return said
    try:
        return KubernetesVersion.parse(said)
    except ValueError as error:
        return Unread(f"the control plane's version cannot be read: {error}", Why.UNREADABLE)


@fact
def ip_family(
    cluster: Cluster | Unread, services: tuple[Service, ...] | Unread, nodes: tuple[Node, ...] | Unread
) -> str | Unread:
    """``ipv4`` or ``ipv6``: what EKS says, else that of the ``kubernetes`` Service's address, else that of the nodes.

    A cluster has one family and keeps it for life.
    """
    if not isinstance(cluster, Unread):
        return cluster.kubernetes_network_config.ip_family
    if not isinstance(services, Unread):
        for service in services:
            if (service.namespace, service.name) == ("default", "kubernetes"):
                family = family_of(service.spec.cluster_ip)
                if family is not None:
                    return family
    if not isinstance(nodes, Unread):
        families = {family_of(a.address) for n in nodes for a in n.status.addresses if a.type == "InternalIP"} - {None}
        if len(families) == 1:
            return str(families.pop())
    # The reader of the answer wants to know what EKS was asked, and why it did not say.
    return Unread(f"the cluster's IP family is not known: {cluster.reason}", cluster.why, cluster.permission)


@dataclass(frozen=True, slots=True)
class NodeKinds:
    """Nodes by who polices their pods. ``linux_ec2`` are the only ones the ``aws-node`` DaemonSet serves."""

    linux_ec2: tuple[Node, ...]
    fargate: tuple[Node, ...]
    windows: tuple[Node, ...]
    hybrid: tuple[Node, ...]
    auto: tuple[Node, ...]

    @property
    def unserved(self) -> dict[str, str]:
        """The kind of each node that ``aws-node`` does not serve, by node name."""
        kinds = {"fargate": self.fargate, "windows": self.windows, "hybrid": self.hybrid, "auto": self.auto}
        return {node.name: kind for kind, nodes in kinds.items() for node in nodes}


@fact
def node_kinds(nodes: tuple[Node, ...]) -> NodeKinds:
    """Sort nodes by the labels that the ``aws-node`` DaemonSet's own affinity goes by.

    ``eks.amazonaws.com/compute-type`` is ``fargate``, ``hybrid`` or ``auto``; ``kubernetes.io/os`` tells Windows.
    """
    kinds: dict[str, list[Node]] = {"linux_ec2": [], "fargate": [], "windows": [], "hybrid": [], "auto": []}
    for node in nodes:
        labels = node.metadata.labels
        compute = labels.get("eks.amazonaws.com/compute-type", "")
        os = labels.get("kubernetes.io/os") or node.status.node_info.operating_system
        if compute in {"fargate", "hybrid", "auto"}:
            kinds[compute].append(node)
        elif os == "windows":
            kinds["windows"].append(node)
        else:
            kinds["linux_ec2"].append(node)
    return NodeKinds(**{kind: tuple(members) for kind, members in kinds.items()})


def kernel_of(node: Node) -> tuple[int, int] | None:
    """Return (major, minor) of a node's kernel, None where the kubelet's text cannot be read."""
    found = _KERNEL.match(node.status.node_info.kernel_version)
    return (int(found[1]), int(found[2])) if found else None


def release_date_of(release_version: str) -> int | None:
    """Return the date in an AMI release such as ``1.29.0-20240129`` as 20240129; None where it has none (Bottlerocket)."""
    found = _RELEASE_DATE.search(release_version)
    return int(found[1]) if found else None
