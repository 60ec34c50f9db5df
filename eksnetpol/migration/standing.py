"""Which nodes are in which mode, and which workloads have pods on nodes of each: kept up node by node as they change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from eksnetpol.migration.against import Version
from eksnetpol.model.enforcement import Enforcement, NodeState, Scene
from eksnetpol.policy.universe import indexes_of

Live = Literal["live"]
LIVE: Live = "live"

Does = Version | Live | None
"""What an engine does on a node: what the policies of a former moment meant, what those of now mean, or nothing."""

Mode = tuple[Does, Does]
"""What the old and the new engine do."""


@dataclass
class Group:
    """Nodes of one mode: how many, and on how many of them each workload has pods."""

    nodes: int = 0
    counts: Counter[int] = field(default_factory=Counter)
    present: int = 0
    """The workloads that have pods there, as bits by their places."""

    def add(self, workloads: int) -> None:
        """Take a node in, with the workloads on it."""
        self.nodes += 1
        self.counts.update(indexes_of(workloads))
        self.present |= workloads

    def take(self, workloads: int) -> None:
        """Let a node go."""
        self.nodes -= 1
        for at in indexes_of(workloads):
            self.counts[at] -= 1
            if not self.counts[at]:
                del self.counts[at]
                self.present &= ~(1 << at)


@dataclass(frozen=True, slots=True)
class Standing:
    """One node: its mode, the workloads on it, the pods that started there after rules were frozen."""

    mode: Mode
    workloads: int
    late: int


class Nodes:
    """All nodes. *workloads* gives those that have pods with an address of their own on a node, as bits by their places.

    *now* gives what the policies of now mean to the old engine (True) or the new one: rules that are frozen are those of the
    moment they froze at.
    """

    def __init__(self, workloads: Callable[[str], int], now: Callable[[bool], Version]) -> None:
        self._workloads = workloads
        self._now = now
        self._nodes: dict[str, Standing] = {}
        self.groups: dict[Mode, Group] = {}
        self.late = 0

    def see(self, scene: Scene) -> None:
        """Take a moment in: the nodes that changed, and at first all."""
        for name in scene.changed if self._nodes else tuple(scene.nodes):
            was = self._nodes.pop(name, None)
            if was is not None:
                self._take(was)
            if name in scene.nodes:
                self._put(scene.nodes[name], was)

    def named(self, mode: Mode, workload: int) -> str:
        """Return a node of *mode* that has pods of a workload, given by its place; empty where none has."""
        return next((name for name, node in self._nodes.items() if node.mode == mode and node.workloads >> workload & 1), "")

    def mode_of(self, name: str) -> Mode:
        """Return the mode of a node; of one that is not there, that nobody enforces."""
        node = self._nodes.get(name)
        return (None, None) if node is None else node.mode

    @property
    def versions(self) -> Iterator[tuple[Version, bool]]:
        """The former versions that still hold somewhere, and whether they are the old engine's."""
        return ((does, not at) for mode in self.groups for at, does in enumerate(mode) if isinstance(does, Version))

    def rename(self, again: Mapping[Version, Version]) -> None:
        """Put other values in the place of versions."""

        def moved(mode: Mode) -> Mode:
            old, new = (again[does] if isinstance(does, Version) else does for does in mode)
            return old, new

        self.groups = {moved(mode): group for mode, group in self.groups.items()}
        self._nodes = {n: Standing(moved(one.mode), one.workloads, one.late) for n, one in self._nodes.items()}

    def _put(self, state: NodeState, was: Standing | None) -> None:
        former = was.mode if was else (None, None)
        mode = (self._does(state.old, former[0], old=True), self._does(state.new, former[1], old=False))
        node = Standing(mode, self._workloads(state.name) if state.pods else 0, state.late)
        self._nodes[state.name] = node
        self.groups.setdefault(mode, Group()).add(node.workloads)
        self.late += node.late

    def _take(self, node: Standing) -> None:
        group = self.groups[node.mode]
        group.take(node.workloads)
        if not group.nodes:
            del self.groups[node.mode]
        self.late -= node.late

    def _does(self, enforcement: Enforcement, former: Does, *, old: bool) -> Does:
        match enforcement:
            case Enforcement.LIVE:
                return LIVE
            case Enforcement.FROZEN:
                return former if isinstance(former, Version) else self._now(old)
            case _:
                return None


def words(mode: Mode) -> str:
    """Return who enforces in *mode*, as people say it."""
    old, new = mode
    before = "" if old is None else "the old engine" if old == LIVE else "frozen rules of the old engine"
    after = "" if new is None else "the VPC CNI" if new == LIVE else "frozen rules of the VPC CNI"
    return " and ".join(filter(None, (before, after))) or "nobody enforces"
