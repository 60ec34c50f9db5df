"""How far the last change of ``aws-node`` has come, node by node."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from eksnetpol.facts.declare import fact
from eksnetpol.facts.platform import NodeKinds
from eksnetpol.facts.vpc_cni import AGENT_CONTAINERS, VpcCni
from eksnetpol.model.kubernetes import AgentPod, ControllerRevision, Node
from eksnetpol.model.snapshot import Unread, Why

HASH = "controller-revision-hash"
"""The label by which the DaemonSet controller tells pods of one template from those of another."""


class NodeState(StrEnum):
    """What the ``aws-node`` pod of a node is. ``OLD`` has a former template, whatever its state."""

    READY = "ready"
    OLD = "old template"
    NOT_READY = "not ready"
    NO_AGENT = "no agent container"
    MISSING = "no aws-node pod"


@dataclass(frozen=True, slots=True)
class NodeRollout:
    """One node that ``aws-node`` serves. ``detail`` says what containers wait for; ``node_is_ready`` is the kubelet's word."""

    name: str
    state: NodeState
    detail: str = ""
    node_is_ready: bool = True


@dataclass(frozen=True, slots=True)
class RolloutByNode:
    """The DaemonSet's own counters, and its nodes. ``nodes`` is empty where they could not be read, and ``unread`` says why.

    ``seen`` is False while the DaemonSet controller has not acted on the last change yet.
    """

    desired: int
    updated: int
    ready: int
    available: int
    seen: bool
    on_delete: bool
    nodes: tuple[NodeRollout, ...] = ()
    unread: str = ""

    @property
    def is_rolling(self) -> bool:
        """True while pods of a former template are left, or the last change was not acted on."""
        return not self.seen or self.updated < self.desired

    @property
    def words(self) -> str:
        """How far it has come, in a sentence without a full stop."""
        if not self.seen:
            return "the last change of aws-node was not acted on yet"
        by_hand = "; the update strategy is OnDelete: pods change only when they are deleted" if self.on_delete else ""
        behind = self.is_rolling and by_hand
        return f"aws-node has its current template on {self.updated} of {self.desired} nodes, ready on {self.ready}{behind or ''}"

    def of(self, *states: NodeState) -> tuple[NodeRollout, ...]:
        """Return the nodes in one of *states*."""
        return tuple(n for n in self.nodes if n.state in states)


@fact
def rollout_by_node(
    vpc_cni: VpcCni | None,
    agent_pods: tuple[AgentPod, ...] | Unread,
    node_kinds: NodeKinds | Unread,
    controller_revisions: tuple[ControllerRevision, ...] | Unread,
) -> RolloutByNode | Unread:
    """The roll-out of ``aws-node``, unread where there is no DaemonSet.

    The newest of the stored templates is the current one (apps/v1 ControllerRevision): its hash is a label of the pods that have
    it. Where the templates could not be read, the counters alone tell that there are old ones.
    """
    if vpc_cni is None:
        return Unread("there is no aws-node DaemonSet", Why.ABSENT)
    status, generation = vpc_cni.workload.status, vpc_cni.workload.metadata.generation
    unread = next((s.reason for s in (agent_pods, node_kinds) if isinstance(s, Unread)), "")
    nodes: tuple[NodeRollout, ...] = ()
    if not isinstance(agent_pods, Unread) and not isinstance(node_kinds, Unread):
        current = "" if isinstance(controller_revisions, Unread) else _current(controller_revisions)
        nodes = tuple(_by_node(node_kinds.linux_ec2, agent_pods, current, wants_agent=vpc_cni.agent is not None))
    return RolloutByNode(
        desired=status.desired_number_scheduled,
        updated=status.updated_number_scheduled,
        ready=status.number_ready,
        available=status.number_available,
        seen=status.observed_generation >= generation,
        on_delete=vpc_cni.workload.spec.update_strategy.type == "OnDelete",
        nodes=nodes,
        unread=unread,
    )


def _current(revisions: tuple[ControllerRevision, ...]) -> str:
    newest = max(revisions, key=lambda r: r.revision, default=None)
    return "" if newest is None else newest.metadata.labels.get(HASH, "")


def _by_node(nodes: tuple[Node, ...], pods: tuple[AgentPod, ...], current: str, *, wants_agent: bool) -> Iterator[NodeRollout]:
    by_node = {p.spec.node_name: p for p in pods if p.metadata.deletion_timestamp is None}
    for node in sorted(nodes, key=lambda n: n.name):
        if node.metadata.deletion_timestamp is None:
            ready = any(c.type == "Ready" and c.status == "True" for c in node.status.conditions)
            state, detail = _state(by_node.get(node.name), current, wants_agent=wants_agent)
            yield NodeRollout(node.name, state, detail, ready)


def _state(pod: AgentPod | None, current: str, *, wants_agent: bool) -> tuple[NodeState, str]:
    if pod is None:
        return NodeState.MISSING, ""
    statuses = pod.status.container_statuses
    waiting = ", ".join(
        f"{c.name} is {state.reason}" if (state := c.state.waiting or c.state.terminated) and state.reason else f"{c.name} is not"
        for c in statuses
        if not c.ready
    )
    mark = pod.metadata.labels.get(HASH, "")
    if current and mark and mark != current:
        return NodeState.OLD, waiting
    if waiting or not statuses:
        return NodeState.NOT_READY, waiting or f"no container has started (the pod is {pod.status.phase or 'Pending'})"
    if wants_agent and not any(c.name in AGENT_CONTAINERS for c in statuses):
        return NodeState.NO_AGENT, ""
    return NodeState.READY, ""
