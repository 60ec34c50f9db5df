"""Where a migration stands, by one look: whose agents run on each node, and what the node says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from eksnetpol.facts.declare import Lookup
from eksnetpol.facts.vpc_cni import VpcCni
from eksnetpol.migration.planning.leaving import LABEL, UNFINISHED, VALUE, engines_there
from eksnetpol.model.kubernetes import AgentPod, Node, Pod
from eksnetpol.model.snapshot import Seen
from eksnetpol.planning.reading import known, need


class By(StrEnum):
    """Whose agent runs on a node; *nobody* polices a node without any."""

    OLD = "old engine"
    BOTH = "both engines"
    NEW = "VPC CNI"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class NodeNow:
    """One Linux node on EC2. ``leaving`` is set while it is left in place, ``pods`` counts those with an address of their own."""

    name: str
    by: By
    labelled: bool
    leaving: bool
    cordoned: bool
    pods: int


@dataclass(frozen=True, slots=True)
class Present:
    """All of them. ``engine`` is the old one's title, empty where none has an agent any more; ``enforcing`` is the VPC CNI's
    switch: while it is off its agents police nothing, and no node counts as its.
    """

    engine: str
    enforcing: bool | None
    nodes: tuple[NodeNow, ...]

    @property
    def counts(self) -> Mapping[By, int]:
        """How many nodes are whose."""
        return {by: sum(node.by is by for node in self.nodes) for by in By}

    @property
    def open(self) -> tuple[NodeNow, ...]:
        """Nodes with pods that nobody's agent polices: this must never be."""
        return tuple(node for node in self.nodes if node.by is By.NOBODY and node.pods)


def present(facts: Lookup) -> Present:
    """Return where a migration stands; raise `EksNetpolError` where engines, nodes or pods could not be read."""
    there = [one for one in engines_there(facts) if one.presence.workload is not None]
    old = there[0].presence if there else None
    pods: tuple[Pod, ...] = need(facts, "pods")
    nodes: tuple[Node, ...] = need(facts, "node_kinds").linux_ec2
    cni: VpcCni | None = known(facts, "vpc_cni")
    enforcing = None if cni is None else cni.agent_is_on
    agents = facts.get("agent_pods")
    mine = agents.value if isinstance(agents, Seen) and enforcing else ()
    new = frozenset(pod.spec.node_name for pod in mine if _runs(pod))
    agent = None if old is None else old.workload
    kept = frozenset[str]() if agent is None else _nodes_of(pods, agent.name, agent.namespace)
    counted: dict[str, int] = {}
    for pod in pods:
        if not pod.spec.host_network and not pod.is_terminal:
            counted[pod.spec.node_name] = counted.get(pod.spec.node_name, 0) + 1
    return Present(
        engine="" if old is None else old.title,
        enforcing=enforcing,
        nodes=tuple(_node(node, kept, new, counted.get(node.name, 0)) for node in nodes),
    )


def _node(node: Node, kept: frozenset[str], new: frozenset[str], pods: int) -> NodeNow:
    mine, theirs = node.name in new, node.name in kept
    by = By.BOTH if mine and theirs else By.NEW if mine else By.OLD if theirs else By.NOBODY
    labels = node.metadata.labels
    return NodeNow(node.name, by, labels.get(LABEL) == VALUE, UNFINISHED in labels, node.spec.unschedulable, pods)


def _nodes_of(pods: tuple[Pod, ...], daemonset: str, namespace: str) -> frozenset[str]:
    """Return the nodes on which a pod of the DaemonSet runs."""
    return frozenset(
        pod.spec.node_name
        for pod in pods
        if pod.namespace == namespace
        and pod.status.phase == "Running"
        and any(o.kind == "DaemonSet" and o.name == daemonset for o in pod.metadata.owner_references)
    )


def _runs(pod: AgentPod) -> bool:
    return pod.status.phase == "Running" and all(status.ready for status in pod.status.container_statuses)
