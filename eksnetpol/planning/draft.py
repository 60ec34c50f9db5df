"""Parts of a plan that are put together: each planner returns what it knows of, and nobody fills lists of others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from eksnetpol.model.plan import FieldChange, Forecast, Refusal, Step

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Draft:
    """Steps in the order they are done, and what is to be said of them; see `Plan` for the meaning of each."""

    steps: tuple[Step, ...] = ()
    changes: tuple[FieldChange, ...] = ()
    forecasts: tuple[Forecast, ...] = ()
    facts: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    afterwards: tuple[str, ...] = ()

    def __add__(self, other: Draft) -> Draft:
        """Return both, this one's steps first; what both say is said once."""
        return Draft(
            steps=(*self.steps, *other.steps),
            changes=_once((*self.changes, *other.changes)),
            forecasts=_once((*self.forecasts, *other.forecasts)),
            facts=_once((*self.facts, *other.facts)),
            warnings=_once((*self.warnings, *other.warnings)),
            refusals=_once((*self.refusals, *other.refusals)),
            afterwards=_once((*self.afterwards, *other.afterwards)),
        )


def refused(*why: Refusal) -> Draft:
    """Return a draft that only refuses."""
    return Draft(refusals=why)


def joined(drafts: Iterable[Draft]) -> Draft:
    """Return all *drafts* as one."""
    whole = Draft()
    for draft in drafts:
        whole = whole + draft
    return whole


def _once(items: tuple[T, ...]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(items))
