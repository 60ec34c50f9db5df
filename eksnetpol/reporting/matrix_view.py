"""What every way of showing a matrix has in common: the page, names of sets of places, and sums by namespace."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from eksnetpol.policy.answers import Answer
from eksnetpol.policy.cells import Place, Places, Table
from eksnetpol.policy.difference import Difference
from eksnetpol.policy.profile import Profile
from eksnetpol.policy.universe import indexes_of, set_of

_NAMED = 6


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
    def by_namespace(self) -> dict[str, Places]:
        """The workloads of each namespace, in order of names."""
        found: dict[str, list[int]] = {}
        for i, place in enumerate(self.places):
            if not place.is_outside:
                found.setdefault(place.namespace, []).append(i)
        return {name: set_of(found[name]) for name in sorted(found)}

    def who(self, places: Places, *, everybody: bool) -> str:
        """Return in words who a set is, whole namespaces as such; cut short unless *everybody* is to be named."""
        words = list(self._words(places))
        more = len(words) - _NAMED
        if everybody or more <= 1:
            return ", ".join(words)
        return f"{', '.join(words[:_NAMED])} and {more} more"

    def _words(self, places: Places) -> Iterator[str]:
        rest = places
        if self.workloads and not self.workloads & ~places and self.workloads.bit_count() > 1:
            yield "every workload"
            rest &= ~self.workloads
        elif len(self.by_namespace) > 1:
            for name, all_of in self.by_namespace.items():
                if all_of & rest == all_of and all_of.bit_count() > 1:
                    yield f"all of {name}"
                    rest &= ~all_of
        for i in indexes_of(rest):
            yield self.places[i].title


def in_words(answer: Answer) -> str:
    """Return what a pair has: ``TCP 8080``, or ``TCP 8080, some also UDP 53``."""
    if answer.is_uniform:
        return str(answer.every)
    if not answer.every:
        return f"some {answer.some}"
    return f"{answer.every}, some also {answer.some - answer.every}"
