"""Which classes of pods share a node, where that matters: a node may always reach its own pods."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from eksnetpol.policy.universe import Classes, Universe


@dataclass
class Nodes:
    """The nodes (``hostIP``) of classes, worked out when they are asked for. Of a pod whose node is not known nothing is said."""

    universe: Universe
    _of: dict[int, frozenset[str]] = field(default_factory=dict)
    _shared_by: dict[tuple[int, bool], Classes] = field(default_factory=dict)
    _covered: dict[Classes, tuple[Classes, Classes]] = field(default_factory=dict)
    _host_classes: tuple[tuple[int, frozenset[str]], ...] | None = None

    def of(self, index: int) -> frozenset[str]:
        """Return the nodes of a class's pods, as far as they are known."""
        known = self._of.get(index)
        if known is None:
            known = self._of[index] = frozenset(filter(None, self._nodes(index)))
        return known

    def all_known(self, index: int) -> bool:
        """Say whether the node of every pod of a class is known."""
        return all(self._nodes(index))

    def _nodes(self, index: int) -> Iterator[str]:
        # The address of a pod on the host network is that of its node.
        one = self.universe.classes[index]
        if one.host_network:
            return (p.status.pod_ip or p.status.host_ip for p in one.pods)
        return (p.status.host_ip for p in one.pods)

    def hosts(self) -> tuple[tuple[int, frozenset[str]], ...]:
        """Return the classes on the host network, each with its nodes."""
        if self._host_classes is None:
            members = self.universe.members(self.universe.on_host_network)
            self._host_classes = tuple((c.index, self.of(c.index)) for c in members)
        return self._host_classes

    @property
    def any_alone(self) -> bool:
        """True where all pods of some class on the host network are on one node: what it shares with that node's pods is sure."""
        return any(len(nodes) == 1 for _, nodes in self.hosts())

    def sharing(self, index: int, *, always: bool) -> Classes:
        """Return the classes on the host network of which some pod is on the node of some pod of *index*.

        *always*: those that are on one node, on which all pods of *index* are too.
        """
        mine = self.of(index)
        found = 0
        for host, nodes in self.hosts():
            if _share(nodes, mine, always=always) and (not always or (self.all_known(host) and self.all_known(index))):
                found |= 1 << host
        return found

    def shared_by(self, host: int, *, always: bool) -> Classes:
        """Return the classes of which some pod is on a node of a class on the host network; *always* as above."""
        known = self._shared_by.get((host, always))
        if known is None:
            theirs = self.of(host)
            known = 0
            for one in self.universe.classes:
                if _share(theirs, self.of(one.index), always=always) and (
                    not always or (self.all_known(host) and self.all_known(one.index))
                ):
                    known |= one.bit
            self._shared_by[host, always] = known
        return known

    def covered_by(self, classes: Classes) -> tuple[Classes, Classes]:
        """Return the classes on the host network all of whose nodes pods of *classes* are on, and those of which only some.

        Pods on the host network have the address of their node, so a rule that means one of them means all of a node's.
        """
        known = self._covered.get(classes & self.universe.on_host_network)
        if known is not None:
            return known
        near: set[str] = set()
        for host, nodes in self.hosts():
            if classes >> host & 1:
                near |= nodes
        whole = some = 0
        for host, nodes in self.hosts():
            if nodes and nodes <= near and self.all_known(host):
                whole |= 1 << host
            elif not nodes.isdisjoint(near):
                some |= 1 << host
        whole |= classes & self.universe.on_host_network
        known = self._covered[classes & self.universe.on_host_network] = (whole, some & ~whole)
        return known


def nodes_of(universe: Universe) -> Nodes:
    """Return the nodes of a universe's classes; the second time what was worked out is there already."""
    known: Nodes = universe.memo.setdefault("nodes of classes", Nodes(universe))
    return known


def _share(one: frozenset[str], other: frozenset[str], *, always: bool) -> bool:
    if always:
        return len(one) == 1 and one == other
    return not one.isdisjoint(other)
