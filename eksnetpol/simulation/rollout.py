"""How a DaemonSet's pods are replaced, one to a node, as the DaemonSet controller does it: counted, so that many nodes are quick.

The rules are those of kube-controller-manager (``pkg/controller/daemon/update.go``) without surge: a pod of the old template that
is not available goes at once; of the others as many go as leave no more than ``maxUnavailable`` nodes without an available pod.
With ``OnDelete`` nothing goes by itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from eksnetpol.model.kinds import Json


class State(IntEnum):
    """What the pod of one node is."""

    OLD = 0
    OLD_UNAVAILABLE = 1
    STARTING = 2
    AVAILABLE = 3
    CRASHING = 4
    NEVER = 5
    GONE = 6


_UPDATED = (State.STARTING, State.AVAILABLE, State.CRASHING, State.NEVER)


@dataclass(slots=True)
class Pods:
    """The pods of one DaemonSet. Times are seconds of a clock that never goes back.

    ``nodes`` are the names of those that have one, ``never`` of those whose pod never becomes available. At most ``maximum`` of
    them are without an available pod while it rolls. A new pod is available ``seconds`` after the old one was told to end.
    """

    nodes: Sequence[str]
    seconds: float
    maximum: int = 1
    on_delete: bool = False
    never: frozenset[str] = frozenset()
    states: bytearray = field(default_factory=bytearray)
    replaced: set[int] = field(default_factory=set)
    """Numbers of the nodes whose pod is not the one it was at first."""
    touched: set[int] = field(default_factory=set)
    """Numbers of the nodes of whose pods something changed since somebody last emptied this."""
    births: dict[int, int] = field(default_factory=dict)
    """How often a node's pod was replaced."""
    _numbers: dict[str, int] = field(default_factory=dict)
    _batches: deque[tuple[float, list[int]]] = field(default_factory=deque)
    _counts: list[int] = field(default_factory=lambda: [0] * len(State))
    _old: deque[int] = field(default_factory=deque)

    def __post_init__(self) -> None:
        if not self.states:
            self.states = bytearray([State.AVAILABLE]) * len(self.nodes)
        self._numbers = {node: number for number, node in enumerate(self.nodes)}
        self._recount()

    @property
    def status(self) -> Json:
        """The counters of the DaemonSet's status."""
        available = self._counts[State.OLD] + self._counts[State.AVAILABLE]
        wanted = self.wanted
        return {
            "desiredNumberScheduled": wanted,
            "currentNumberScheduled": wanted,
            "updatedNumberScheduled": sum(self._counts[s] for s in _UPDATED),
            "numberReady": available,
            "numberAvailable": available,
            "numberUnavailable": wanted - available,
            "numberMisscheduled": 0,
        }

    @property
    def wanted(self) -> int:
        """How many nodes are to have a pod."""
        return len(self.nodes) - self._counts[State.GONE]

    @property
    def is_undecided(self) -> bool:
        """True while it matters whether the new template's containers crash: some are starting, or have crashed."""
        return bool(self._batches) or self._counts[State.CRASHING] > 0

    def begin(self, now: float) -> None:
        """Start a pod on every node at once: there were none."""
        self._replace(list(range(len(self.nodes))), now)

    def number_of(self, node: str) -> int | None:
        """Return the number of a node that is to have a pod, None for others."""
        number = self._numbers.get(node)
        return None if number is None or self.states[number] == State.GONE else number

    def add(self, node: str, now: float) -> None:
        """Start a pod on a node that has come."""
        number = self._numbers.get(node)
        if number is None:
            number = self._numbers[node] = len(self.nodes)
            self.nodes = (*self.nodes, node)
            self.states.append(State.GONE)
            self._counts[State.GONE] += 1
        if self.states[number] == State.GONE:
            self._replace([number], now)

    def remove(self, node: str) -> None:
        """Let the pod of a node go that has gone, or is not meant any more."""
        number = self.number_of(node)
        if number is not None:
            self._forget(number)
            self._set([number], State.GONE)

    def restart(self, now: float) -> None:
        """Begin to roll: the template has changed."""
        kept = {State.OLD: State.OLD, State.AVAILABLE: State.OLD, State.GONE: State.GONE}
        self.touched.update(range(len(self.states)))
        self.states = bytearray(kept.get(State(s), State.OLD_UNAVAILABLE) for s in self.states)
        self._batches.clear()
        self._recount()
        if not self.on_delete:
            self._replace([i for i, s in enumerate(self.states) if s == State.OLD_UNAVAILABLE], now)
            self._roll(now)

    def delete(self, node: str, now: float) -> None:
        """Delete the pod of a node: the next one has the current template."""
        at = self.number_of(node)
        if at is not None:
            self._forget(at)
            self._replace([at], now)

    def advance(self, now: float, *, crashes: bool) -> bool:
        """Let happen what happens until *now*; return whether anything did.

        While *crashes*, the new template's containers end right after they start: its pods do not become available.
        """
        changed = False
        while self._batches and self._batches[0][0] <= now:
            due, batch = self._batches.popleft()
            self._started(batch, crashes=crashes)
            self._roll(due)
            changed = True
        if not crashes and self._counts[State.CRASHING]:
            self._set([i for i, s in enumerate(self.states) if s == State.CRASHING], State.AVAILABLE)
            changed = True
        if changed:
            self._roll(now)
        return changed

    def next_due(self) -> float | None:
        """Return when the next pods become available, None when none are starting."""
        return self._batches[0][0] if self._batches else None

    def state_of(self, index: int) -> State:
        """Return what the pod of node number *index* is."""
        return State(self.states[index])

    def doom(self, nodes: Iterable[str]) -> None:
        """From now on new pods on these nodes never become available."""
        self.never |= frozenset(nodes)

    def _started(self, batch: list[int], *, crashes: bool) -> None:
        if self.never:
            self._set([i for i in batch if self.nodes[i] in self.never], State.NEVER)
            batch = [i for i in batch if self.nodes[i] not in self.never]
        self._set(batch, State.CRASHING if crashes else State.AVAILABLE)

    def _roll(self, now: float) -> None:
        if self.on_delete or not self._counts[State.OLD]:
            return
        unavailable = self.wanted - self._counts[State.OLD] - self._counts[State.AVAILABLE]
        room = min(self.maximum - unavailable, self._counts[State.OLD])
        chosen: list[int] = []
        while len(chosen) < room and self._old:
            index = self._old.popleft()
            if self.states[index] == State.OLD:
                chosen.append(index)
        self._replace(chosen, now)

    def _replace(self, indexes: list[int], now: float) -> None:
        if indexes:
            self._set(indexes, State.STARTING)
            self.replaced.update(indexes)
            for index in indexes:
                self.births[index] = self.births.get(index, 0) + 1
            self._batches.append((now + self.seconds, indexes))

    def _set(self, indexes: list[int], state: State) -> None:
        for index in indexes:
            self._counts[self.states[index]] -= 1
            self.states[index] = state
        self._counts[state] += len(indexes)
        self.touched.update(indexes)

    def _forget(self, index: int) -> None:
        """Let a pod that is starting not become available."""
        if self.states[index] == State.STARTING:
            self._batches = deque((due, [i for i in batch if i != index]) for due, batch in self._batches)

    def _recount(self) -> None:
        self._counts = [self.states.count(state) for state in State]
        self._old = deque(i for i, s in enumerate(self.states) if s == State.OLD)
