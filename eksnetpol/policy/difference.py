"""What one set of policies lets through and another does not: two matrices laid over each other.

Two worlds are compared by the names of workloads, and outside by blocks that are cut by the policies of both. Columns are
compared whole, so that destinations for which nothing changed cost next to nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from itertools import islice

from eksnetpol.model.kubernetes import Pod
from eksnetpol.policy.answers import Addresses, Answer, Decision, Engine, Party, Pods
from eksnetpol.policy.cells import NONE, Column, Place, Places, Table, inside, table
from eksnetpol.policy.connections import Connections
from eksnetpol.policy.outside import cut
from eksnetpol.policy.questions import shown_of
from eksnetpol.policy.universe import indexes_of, key_of, set_of

_ALIKE = 2
"""Sources of one destination of which as many are chosen, where all of them were chosen before."""

_TRIED = 400
"""Pairs of pods looked at for one that shows a change."""


class Change(StrEnum):
    """What happened to the connections of a pair. *changed*: something flowed before, and something else does after."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Changed:
    """A pair that has not the same in both. ``before`` and ``after`` are what it has."""

    source: Place
    destination: Place
    before: Answer
    after: Answer

    @property
    def change(self) -> Change:
        """In one word."""
        if not self.before.some:
            return Change.ADDED
        return Change.CHANGED if self.after.some else Change.REMOVED

    @property
    def gained(self) -> Connections:
        """What more pairs of pods have after than before."""
        return (self.after.some - self.before.some) | (self.after.every - self.before.every)

    @property
    def lost(self) -> Connections:
        """What fewer pairs of pods have after than before."""
        return (self.before.some - self.after.some) | (self.before.every - self.after.every)


@dataclass(frozen=True)
class Difference:
    """All that differs, ``changes`` by destination and then by source.

    ``only_before`` and ``only_after`` are workloads that one side alone has; nothing else is said of them. ``left_out`` is how
    many pairs differ that are not among ``changes``.
    """

    before: Table
    after: Table
    changes: tuple[Changed, ...]
    only_before: tuple[Place, ...] = ()
    only_after: tuple[Place, ...] = ()
    left_out: int = 0

    @cached_property
    def counts(self) -> Mapping[Change, int]:
        """How many pairs changed in which way."""
        return {kind: sum(c.change is kind for c in self.changes) for kind in Change}

    @cached_property
    def widened(self) -> bool:
        """True when something flows after that did not before."""
        return any(c.gained for c in self.changes)

    @cached_property
    def narrowed(self) -> bool:
        """True when something flowed before that does not after."""
        return any(c.lost for c in self.changes)


def difference(before: Engine, after: Engine, most: int | None = None) -> Difference:
    """Return what flows under *after* and not under *before*, or the other way round.

    Where more than *most* pairs differ, only some are returned: for each way in which pairs differ, every destination and every
    source at least once.
    """
    version = 6 if after.profile.family == "ipv6" else 4
    atoms = cut({*before.blocks(), *after.blocks()}, version)
    avoid = inside(before) | inside(after)
    old, new = table(before, atoms, avoid), table(after, atoms, avoid)
    if before.atlas.workload_of == after.atlas.workload_of:
        # Sets of classes are the same places in both, and mostly the same sets.
        new.share(old)
    there = {p.title: i for i, p in enumerate(new.places)}
    had = {p.title for p in old.places}
    chosen = _Chosen()
    changes = tuple(islice(_changes(old, new, there), None if most is None else most + 1))
    if most is not None and len(changes) > most:
        changes = tuple(_changes(old, new, there, chosen))
    return Difference(
        old,
        new,
        changes,
        tuple(p for p in old.workloads if p.title not in there),
        tuple(p for p in new.workloads if p.title not in had),
        chosen.left_out,
    )


_Ways = tuple[Answer, Answer]
"""What a pair has before, and after."""


class _Chosen:
    """Chooses among sources of one destination that differ in the same way: those that were not chosen yet, or else a few."""

    def __init__(self) -> None:
        self.left_out = 0
        self._seen: dict[_Ways, Places] = {}

    def __call__(self, ways: _Ways, places: Places) -> Places:
        seen = self._seen.get(ways, 0)
        self._seen[ways] = seen | places
        chosen = places & ~seen or set_of(islice(indexes_of(places), _ALIKE))
        self.left_out += (places & ~chosen).bit_count()
        return chosen


def _changes(old: Table, new: Table, there: Mapping[str, int], chosen: _Chosen | None = None) -> Iterator[Changed]:
    aligned = _Aligned([there.get(p.title) for p in old.places], len(new.places))
    common = aligned.common
    later = dict(new.columns())
    for number, column in old.columns():
        at = aligned.numbers[number]
        if at is None:
            continue
        was, now = aligned.column(column), later[at]
        if was == now:
            continue
        found = (
            (source, ways)
            for ways, places in _differing(was, now, common)
            for source in indexes_of(places if chosen is None else chosen(ways, places))
        )
        for source, (before, after) in sorted(found, key=lambda pair: pair[0]):
            yield Changed(new.places[source], new.places[at], before, after)


def _differing(was: Column, now: Column, common: Places) -> Iterator[tuple[_Ways, Places]]:
    for before, here in _filled(was, common):
        for after, there in _filled(now, common):
            if before != after and here & there:
                yield (before, after), here & there


def _filled(column: Column, common: Places) -> Iterator[tuple[Answer, Places]]:
    """Yield the parts of *column* that are in both tables, those that have nothing included."""
    rest = common
    for answer, places in column.items():
        rest &= ~places
        yield answer, places & common
    yield NONE, rest


class _Aligned:
    """Sets of places of one table as sets of places of another. ``numbers`` are by place; None where the other has it not."""

    def __init__(self, numbers: list[int | None], size: int) -> None:
        self.numbers = numbers
        self.common = set_of(n for n in numbers if n is not None)
        self._is_same = numbers == list(range(size))
        self._known: dict[bytes, Places] = {}

    def column(self, column: Column) -> Column:
        """Return a column by the other's places."""
        return column if self._is_same else {answer: self._moved(places) for answer, places in column.items()}

    def _moved(self, places: Places) -> Places:
        key = key_of(places)
        known = self._known.get(key)
        if known is None:
            moved = (self.numbers[i] for i in indexes_of(places))
            known = self._known[key] = set_of(n for n in moved if n is not None)
        return known


def first_of(connections: Connections) -> tuple[str, int] | None:
    """Return a protocol and number of *connections* to show as a case; None of `NOTHING`. Ports are preferred."""
    for protocol, numbers in connections.items():
        return protocol, shown_of(numbers)
    return None




def witness(found: Difference, change: Changed) -> tuple[Decision, Decision] | None:
    """Return the verdicts of both sides on one connection that shows *change*; None where no pair of pods can be asked about.

    Both sides must be of one world, or else the pods of one may not be there in the other.
    """
    case = first_of(change.lost) or first_of(change.gained)
    if case is None:
        return None
    for source, destination in _pairs_of(found, change):
        mine = found.before.engine.decide(*_parties(found.before.engine, source, destination), *case)
        theirs = found.after.engine.decide(*_parties(found.after.engine, source, destination), *case)
        if mine.allowed != theirs.allowed:
            return mine, theirs
    return None


End = Pod | str
"""A pod, or an address."""


def _pairs_of(found: Difference, change: Changed) -> Iterator[tuple[End, End]]:
    sources, destinations = list(_ends(found, change.source)), list(_ends(found, change.destination))
    pairs = ((s, d) for s in sources for d in destinations if s is not d)
    yield from islice(pairs, _TRIED)


def _ends(found: Difference, place: Place) -> Iterator[End]:
    """Yield pods that stand for all of a workload: of each class of either side, and on either of two nodes."""
    if place.workload is None:
        yield place.sample
        return
    seen: set[int] = set()
    for engine in (found.before.engine, found.after.engine):
        for pod_class in engine.atlas.universe.members(engine.atlas.workloads[place.workload]):
            for pod in (pod_class.pods[0], pod_class.pods[-1]):
                if id(pod) not in seen:
                    seen.add(id(pod))
                    yield pod


def _parties(engine: Engine, source: End, destination: End) -> tuple[Party, Party]:
    return _party(engine, source), _party(engine, destination)


def _party(engine: Engine, end: End) -> Party:
    if isinstance(end, str):
        return Addresses(f"{end}/{128 if ':' in end else 32}", end)
    return Pods(1 << engine.atlas.class_of[end.namespace, end.name], f"{end.namespace}/{end.name}", (end,))
