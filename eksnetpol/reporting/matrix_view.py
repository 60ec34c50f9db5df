"""What every way of showing a matrix has in common: the page, names of sets of places, and sums by namespace."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from eksnetpol.policy.answers import Answer
from eksnetpol.policy.cells import Column, Place, Places, Table
from eksnetpol.policy.difference import Difference
from eksnetpol.policy.profile import Profile
from eksnetpol.policy.universe import indexes_of, set_of

_NAMED, _LEFT_OUT = 6, 3
"""Of a set, so many are named; of a group, so many may be missing for it to be called by its name."""


@dataclass(frozen=True)
class MatrixPage:
    """A matrix and what is shown with it. ``compared`` is how it differs under the other meaning, where that was asked for."""

    table: Table
    profile: Profile
    title: str = ""
    notes: tuple[str, ...] = ()
    compared: Difference | None = None

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """Rows and columns."""
        return self.table.places

    @cached_property
    def workloads(self) -> Places:
        """All places that are workloads."""
        return set_of(i for i, p in enumerate(self.places) if not p.is_outside)

    @cached_property
    def outside(self) -> Places:
        """All places that are not."""
        return set_of(i for i, p in enumerate(self.places) if p.is_outside)

    @cached_property
    def by_namespace(self) -> dict[str, Places]:
        """The workloads of each namespace, in order of names."""
        found: dict[str, list[int]] = {}
        for i, place in enumerate(self.places):
            if not place.is_outside:
                found.setdefault(place.namespace, []).append(i)
        return {name: set_of(found[name]) for name in sorted(found)}

    def spoken(self, number: int, column: Column) -> frozenset[tuple[Answer, Places]]:
        """Return *column* of destination *number* as it is spoken of: a pod alone is not left out of *every workload*."""
        if not self.places[number].is_alone or not column:
            return frozenset(column.items())
        most = max(column, key=lambda answer: column[answer].bit_count())
        return frozenset({**column, most: column[most] | 1 << number}.items())

    def who(self, places: Places, *, everybody: bool) -> str:
        """Return in words who a set is, whole namespaces as such; cut short unless *everybody* is to be named."""
        words = list(self._words(places))
        more = len(words) - _NAMED
        if everybody or more <= 1:
            return ", ".join(words)
        return f"{', '.join(words[:_NAMED])} and {more} more"

    def _words(self, places: Places) -> Iterator[str]:
        rest = places
        for name, group in self._groups:
            missing = group & ~places
            if missing.bit_count() <= min(_LEFT_OUT, group.bit_count() // 4) and group & rest == group & ~missing:
                but = ", ".join(self.places[i].title for i in indexes_of(missing))
                yield f"{name} but {but}" if but else name
                rest &= ~group
        for i in indexes_of(rest):
            yield self.places[i].title

    @cached_property
    def _groups(self) -> tuple[tuple[str, Places], ...]:
        """Sets that have a name, the widest first; one alone is called by its own."""
        found = [("every workload", self.workloads)]
        if len(self.by_namespace) > 1:
            found += [(f"all of {name}", group) for name, group in self.by_namespace.items()]
        found.append(("anywhere outside", self.outside))
        return tuple((name, group) for name, group in found if group.bit_count() > 1)


def in_words(answer: Answer) -> str:
    """Return what a pair has: ``TCP 8080``, or ``TCP 8080; UDP 53 between some pods`` where not all of its pods have it."""
    if answer.is_uniform:
        return str(answer.every)
    rest = f"{answer.some - answer.every} between some pods"
    return f"{answer.every}; {rest}" if answer.every else rest
