"""Someone who looks after every call and every turn of time, and writes down which invariant does not hold.

What is seen is said once, when it begins: an invariant that is broken for an hour is one line, and one more when it breaks again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from eksnetpol.migration.exposure import Exposed, Exposure
from eksnetpol.migration.invariants import Invariant, Violation, doubled, lost_too_early, orphaned, unguarded
from eksnetpol.migration.rules import Rules
from eksnetpol.model.enforcement import Enforcement, NodeState, Scene
from eksnetpol.model.foreign import ForeignPolicy
from eksnetpol.model.plan import Plan


class Census(msgspec.Struct, frozen=True):
    """How many nodes are enforced on by whom: of all nodes, or of those with pods."""

    old: int = 0
    both: int = 0
    new: int = 0
    frozen: int = 0
    """Nodes on which nobody follows the cluster and rules are frozen."""
    nobody: int = 0

    @property
    def nodes(self) -> int:
        """All of them."""
        return self.old + self.both + self.new + self.frozen + self.nobody


def standing_of(node: NodeState) -> str:
    """Return which of `Census`'s counts a node is of."""
    live = Enforcement.LIVE
    if node.old is live and node.new is live:
        return "both"
    if node.old is live or node.new is live:
        return "old" if node.old is live else "new"
    return "frozen" if Enforcement.FROZEN in (node.old, node.new) else "nobody"


RESTARTS_IN = 60.0
"""Seconds within which an agent that restarts is back, as DaemonSets roll: until then no pod is let more through than before."""


@dataclass
class Watch:
    """Looks at scenes as they come. Call it whenever anything may have changed.

    An agent that restarts leaves its rules frozen meanwhile: that counts only where it is not back after ``grace`` seconds.
    *scene* gives the moment, *rules* the policies in force then. *ebpf*: the old engine is an eBPF one. *step* names the step
    that is carried out, and *done* the steps that have succeeded.
    """

    plan: Plan
    scene: Callable[[], Scene]
    rules: Callable[[], Rules]
    exposure: Exposure
    ebpf: bool = False
    grace: float = RESTARTS_IN
    step: str = ""
    done: set[str] = field(default_factory=set)
    violations: list[Violation] = field(default_factory=list)
    exposed: Exposed = Exposed()
    worst: Exposed = Exposed()
    """The most that flowed at any moment since it was last set back."""
    frozen: int = 0
    """The most nodes that had frozen rules alone at once, since it was last set back."""
    looks: int = 0

    def __post_init__(self) -> None:
        self._states: dict[str, NodeState] = {}
        self._standing: Counter[str] = Counter()
        self._open: dict[tuple[str, str], str] = {}
        self._first: Scene | None = None
        self._versions = (-1, -1)
        self._named: dict[tuple[str, str, str, str], str] = {}
        self._missing: tuple[str, ...] = ()
        self._frozen: dict[str, float] = {}
        """Since when the rules of nodes are frozen that take new pods."""

    def begin(self, step: str) -> None:
        """Take note that *step* begins: what is worst is counted from here on."""
        self.step, self.worst, self.frozen = step, self.exposed, self._standing["frozen"]

    @property
    def census(self) -> Census:
        """Who enforces on how many nodes at the moment seen last."""
        return Census(**self._standing)

    def __call__(self) -> None:
        """Look."""
        scene = self.scene()
        self.looks += 1
        first = self._first is None
        if self._first is None:
            self._first = scene
        self._look_at_policies(scene, first=first)
        for name in tuple(scene.nodes) if first else scene.changed:
            self._look_at_node(name, scene)
        for name, since in tuple(self._frozen.items()):
            if scene.at - since >= self.grace:
                self._judge(Invariant.ENFORCED, name, unguarded(scene.nodes[name]), scene, (name,))
        self.exposed = self.exposure.see(scene)
        if self.exposed.pairs > self.worst.pairs:
            self.worst = self.exposed
        self.frozen = max(self.frozen, self._standing["frozen"])
        shown = f"{self.exposed.flows[0]}" if self.exposed.flows else ""
        more = f", and {self.exposed.pairs - 1} more pairs" if self.exposed.pairs > 1 else ""
        wider = f"{shown} flows, and did not{more}" if self.exposed.pairs else ""
        nodes = {n for flow in self.exposed.flows[:1] for n in (flow.source_node, flow.destination_node) if n}
        self._judge(Invariant.NOT_WIDER, "", wider, scene, tuple(sorted(nodes)))
        self._judge(Invariant.SOURCES_KEPT, "", lost_too_early(self._missing, scene, self.done, self.plan), scene)
        gone = orphaned(scene, self._first)
        words = f"{', '.join(gone)} is gone, and {scene.agents} agents of the old engine are left" if gone else ""
        self._judge(Invariant.CONTROL_OUTLIVES, "", words, scene)

    def _look_at_policies(self, scene: Scene, *, first: bool) -> None:
        versions = (scene.policies, scene.sources)
        if versions == self._versions:
            return
        rules = self.rules()
        if not first:
            self.exposure.learn(rules)
        if versions[1] != self._versions[1]:
            there = {_key(one): _called(one) for one in rules.foreign}
            self._named |= there
            self._missing = tuple(name for key, name in self._named.items() if key not in there)
        self._versions = versions

    def _look_at_node(self, name: str, scene: Scene) -> None:
        was, now = self._states.pop(name, None), scene.nodes.get(name)
        if was is not None:
            self._standing[standing_of(was)] -= 1
        if now is None:
            self._frozen.pop(name, None)
            for invariant in (Invariant.ENFORCED, Invariant.ONE_EBPF):
                self._open.pop((invariant, name), None)
            return
        self._states[name] = now
        self._standing[standing_of(now)] += 1
        why = unguarded(now)
        if why and standing_of(now) == "frozen":
            self._frozen.setdefault(name, scene.at)
        else:
            self._frozen.pop(name, None)
            self._judge(Invariant.ENFORCED, name, why, scene, (name,))
        self._judge(Invariant.ONE_EBPF, name, doubled(now) if self.ebpf else "", scene, (name,))

    def _judge(self, invariant: Invariant, where: str, words: str, scene: Scene, nodes: tuple[str, ...] = ()) -> None:
        """Write down that *invariant* does not hold, where *words* say why; empty words: it holds."""
        key = (invariant, where)
        if not words:
            self._open.pop(key, None)
        elif key not in self._open:
            self._open[key] = words
            self.violations.append(Violation(invariant, words, scene.at, self.step, nodes))


def _key(policy: ForeignPolicy) -> tuple[str, str, str, str]:
    meta = policy.metadata
    return policy.api_version.partition("/")[0], policy.kind, meta.namespace, meta.name


def _called(policy: ForeignPolicy) -> str:
    meta = policy.metadata
    return f"{policy.kind.lower()}/{f'{meta.namespace}/' if meta.namespace else ''}{meta.name}"
