"""The scheduler of a simulated cluster: pods without a node get one that takes them.

A node takes a pod where it is ready and not cordoned, has room for one more pod, is what the pod's node selector and required
node affinity ask for, and has no taint that the pod does not tolerate. A snapshot does not say what pods tolerate: those taints
that pods of the same workload live with today. CPU, memory, volumes and spreading are not looked at.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from eksnetpol.engines.placement import suits
from eksnetpol.simulation.nodes import NodeFacts, Nodes
from eksnetpol.simulation.pods import LIVE, Owner, Phase, PodTable, SimPod

Taints = frozenset[tuple[str, str, str]]


@dataclass(slots=True)
class Wishes:
    """What the pods of one workload ask of a node; the answers about nodes are kept until these change."""

    selector: Mapping[str, str] = field(default_factory=dict)
    affinity: Mapping[str, Any] = field(default_factory=dict)
    tolerates: Taints = frozenset()
    _answers: dict[str, tuple[NodeFacts, bool]] = field(default_factory=dict)

    def admits(self, node: NodeFacts) -> bool:
        """Say whether a node would do."""
        known = self._answers.get(node.name)
        if known is not None and known[0] is node:
            return known[1]
        fits = node.taints <= self.tolerates and suits(self.selector, self.affinity, node.struct.metadata.labels, node.name)
        self._answers[node.name] = (node, fits)
        return fits


class Scheduler:
    """Puts pods on nodes, going round so that these fill evenly. *wishes_of* returns what a pod asks for."""

    def __init__(self, nodes: Nodes, pods: PodTable, wishes_of: Callable[[SimPod], Wishes]) -> None:
        self._nodes = nodes
        self._pods = pods
        self._wishes_of = wishes_of
        self._taking: list[str] = []
        self._place: dict[str, int] = {}
        self._next = 0
        self._waiting: deque[SimPod] = deque()
        self._parked: dict[Owner | None, list[SimPod]] = {}
        """Pods for which no node would do, until one comes, changes or gets room."""
        self._fresh: dict[str, None] = {}
        """Nodes that may take parked pods."""
        for name, node in nodes.all.items():
            self._node_changed(name, node)
        self._fresh.clear()
        nodes.listeners.append(self._node_changed)
        pods.listeners.append(self._pod_changed)

    @property
    def pending(self) -> int:
        """How many pods have no node."""
        return len(self._waiting) + sum(map(len, self._parked.values()))

    def turn(self) -> None:
        """Put pods on nodes."""
        while self._waiting:
            self._schedule(self._waiting.popleft())
        if self._parked and self._fresh:
            self._retry()
        self._fresh.clear()

    def park(self, pod: SimPod) -> None:
        """Take in a pod that has had no node since before all."""
        self._parked.setdefault(pod.owner, []).append(pod)

    def _retry(self) -> None:
        fresh = [node for name in self._fresh if name in self._place and (node := self._nodes.get(name)) is not None]
        for owner, pods in tuple(self._parked.items()):
            left = deque(pod for pod in pods if self._is_meant(pod))
            for node in fresh:
                while left and self._room(node) > 0 and self._wishes_of(left[0]).admits(node):
                    self._pods.bind(left.popleft(), node.name)
            if left:
                self._parked[owner] = list(left)
            else:
                del self._parked[owner]

    def _schedule(self, pod: SimPod) -> None:
        if not self._is_meant(pod):
            return
        wishes = self._wishes_of(pod)
        for step in range(len(self._taking)):
            at = (self._next + step) % len(self._taking)
            node = self._nodes.all[self._taking[at]]
            if self._room(node) > 0 and wishes.admits(node):
                self._next = at + 1
                self._pods.bind(pod, node.name)
                return
        self.park(pod)

    def _is_meant(self, pod: SimPod) -> bool:
        return pod.phase is Phase.PENDING and self._pods.is_there(pod)

    def _room(self, node: NodeFacts) -> int:
        return node.room - len(self._pods.on.get(node.name, ()))

    def _node_changed(self, name: str, node: NodeFacts | None) -> None:
        takes = node is not None and node.ready and not node.cordoned
        if takes:
            self._fresh[name] = None
            if name not in self._place:
                self._place[name] = len(self._taking)
                self._taking.append(name)
        elif name in self._place:
            at, last = self._place.pop(name), self._taking.pop()
            if last != name:
                self._taking[at], self._place[last] = last, at

    def _pod_changed(self, pod: SimPod, before: Phase | None) -> None:
        if before is None and pod.phase is Phase.PENDING:
            self._waiting.append(pod)
        elif pod.node and pod.phase not in LIVE:
            self._fresh[pod.node] = None
