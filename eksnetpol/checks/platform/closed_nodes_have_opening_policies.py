"""Pods on nodes that start closed are opened by a policy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from eksnetpol.checks.declare import AUTO_MODE, NotApplicable, check
from eksnetpol.checks.words import count, listed
from eksnetpol.facts.coverage import by_owner
from eksnetpol.facts.platform import NodeKinds
from eksnetpol.model.findings import Evidence, Finding, Severity, Subject, Unknown
from eksnetpol.model.kubernetes import CustomObject, Node
from eksnetpol.model.policies import ClusterNetworkPolicy
from eksnetpol.policy.isolation import Isolation
from eksnetpol.policy.universe import Classes

CLASS_LABEL = "eks.amazonaws.com/nodeclass"
CLOSED = "DefaultDeny"


@check(
    title="a policy opens every pod on nodes that start closed",
    severity=Severity.WARNING,
    docs=AUTO_MODE,
    sources=(AUTO_MODE, "https://docs.aws.amazon.com/eks/latest/userguide/create-node-class.html"),
)
def closed_nodes_have_opening_policies(
    node_classes: tuple[CustomObject, ...],
    node_kinds: NodeKinds,
    isolation: Isolation,
    cluster_subjects: tuple[tuple[ClusterNetworkPolicy, Classes], ...],
) -> Iterator[Finding | Unknown | Evidence]:
    """
    With networkPolicy DefaultDeny in its NodeClass, a node of EKS Auto Mode starts every pod closed in both directions. A pod
    that no policy selects stays so: not even DNS works, for system pods either.
    """
    closed = {c.metadata.name for c in node_classes if c.spec.get("networkPolicy") == CLOSED}
    if not closed:
        raise NotApplicable(f"no NodeClass sets networkPolicy {CLOSED}")
    nodes = {n.name: _is_closed(n, closed, len(node_classes)) for n in node_kinds.auto}
    unsure = [name for name, verdict in nodes.items() if verdict is None]
    if unsure:
        yield Unknown(Subject("Node", unsure[0]), f"{count(len(unsure), 'node')} bear no label {CLASS_LABEL}")
    yield Evidence(f"{sum(v is True for v in nodes.values())} nodes start pods closed ({listed(sorted(closed))})")
    for workload, pods in sorted(_unopened(nodes, isolation, cluster_subjects).items()):
        yield Finding(
            subject=workload,
            message=f"no policy selects {count(pods, 'pod')} on nodes that start closed: no traffic at all, DNS included",
            remedy="Give it a policy that allows what it needs, DNS by ipBlock of the cluster DNS address among it.",
            command=f"kubectl get networkpolicy -n {workload.namespace}",
        )


def _is_closed(node: Node, closed: set[str], classes: int) -> bool | None:
    name = node.metadata.labels.get(CLASS_LABEL)
    if name is not None:
        return name in closed
    return True if len(closed) == classes else None


def _unopened(
    nodes: Mapping[str, bool | None], isolation: Isolation, clusterwide: tuple[tuple[ClusterNetworkPolicy, Classes], ...]
) -> dict[Subject, int]:
    universe = isolation.universe
    opened = isolation.selected | universe.on_host_network | universe.terminal
    for _, classes in clusterwide:
        opened |= classes
    found: dict[Subject, int] = {}
    for member in universe.members(universe.everything & ~opened):
        shut = (pod for pod in member.pods if nodes.get(pod.spec.node_name))
        for workload, pods in by_owner(shut).items():
            found[workload] = found.get(workload, 0) + len(pods)
    return found
