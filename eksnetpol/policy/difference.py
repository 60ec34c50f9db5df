"""What one set of policies lets through and another does not: two matrices laid over each other.

Two worlds are compared by the names of workloads, and outside by blocks that are cut by the policies of both. Columns are
compared whole, so that destinations for which nothing changed cost next to nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from eksnetpol.policy.answers import Answer, Engine
from eksnetpol.policy.cells import NONE, Column, Place, Places, Table, inside, table
from eksnetpol.policy.connections import Connections
from eksnetpol.policy.outside import cut
from eksnetpol.policy.universe import indexes_of, key_of, set_of


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

    ``only_before`` and ``only_after`` are workloads that one side alone has; nothing else is said of them.
    """

    before: Table
    after: Table
    changes: tuple[Changed, ...]
    only_before: tuple[Place, ...] = ()
    only_after: tuple[Place, ...] = ()

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


def difference(before: Engine, after: Engine) -> Difference:
    """Return what flows under *after* and not under *before*, or the other way round."""
    version = 6 if after.profile.family == "ipv6" else 4
    atoms = cut({*before.blocks(), *after.blocks()}, version)
    avoid = inside(before) | inside(after)
    old, new = table(before, atoms, avoid), table(after, atoms, avoid)
    there = {p.title: i for i, p in enumerate(new.places)}
    had = {p.title for p in old.places}
    return Difference(
        old,
        new,
        tuple(_changes(old, new, there)),
        tuple(p for p in old.workloads if p.title not in there),
        tuple(p for p in new.workloads if p.title not in had),
    )


def _changes(old: Table, new: Table, there: Mapping[str, int]) -> Iterator[Changed]:
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
        found = sorted(_differing(was, now, common), key=lambda pair: pair[0])
        for source, (before, after) in found:
            yield Changed(new.places[source], new.places[at], before, after)


def _differing(was: Column, now: Column, common: Places) -> Iterator[tuple[int, tuple[Answer, Answer]]]:
    for before, here in _filled(was, common):
        for after, there in _filled(now, common):
            if before != after and here & there:
                for i in indexes_of(here & there):
                    yield i, (before, after)


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
        return protocol, numbers.intervals[0][0]
    return None


