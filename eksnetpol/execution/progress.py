"""What a journal says of a run: which steps are done, which were touched, and what each one's action returned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from eksnetpol.interfaces.acting import Entry


@dataclass(frozen=True, slots=True)
class StepPast:
    """A step's past. An *attempt* ends with ``failed``: the next one acts anew, while a stopped one is gone on with.

    ``started`` is when the present attempt first wrote down that it would act, ``acted`` what its action returned. ``updates``
    are the ids of updates of the add-on that former attempts started.
    """

    done: bool = False
    touched: bool = False
    attempts: int = 0
    started: datetime | None = None
    acted: Mapping[str, Any] | None = None
    updates: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Past:
    """What a journal says of its run. ``plan`` is the digest it was opened with, empty where it was not."""

    opened: bool = False
    closed: bool = False
    plan: str = ""
    rolled_back: str = ""
    steps: Mapping[str, StepPast] = field(default_factory=dict)
    over: str = ""
    """Why it cannot be gone on with, empty where it can."""
    approved: frozenset[str] = frozenset()
    """One-way doors that somebody has confirmed."""

    def of(self, step: str) -> StepPast:
        """Return a step's past."""
        return self.steps.get(step, StepPast())

    @property
    def touched(self) -> frozenset[str]:
        """The ids of the steps that may have changed something: what was started counts, what was true before does not."""
        return frozenset(step for step, past in self.steps.items() if past.touched)


def past_of(entries: Iterable[Entry]) -> Past:
    """Return what *entries*, a whole journal, say."""
    opened = closed = False
    plan = rolled_back = over = ""
    steps: dict[str, StepPast] = {}
    approved: set[str] = set()
    for entry in entries:
        over = entry.detail if entry.data.get("over") else over
        if entry.event == "opened":
            opened, plan = True, str(entry.data.get("plan", ""))
        elif entry.event == "closed":
            closed = True
        elif entry.event == "approved":
            approved.add(str(entry.data.get("door", "")))
        elif entry.event == "rolled-back":
            rolled_back = str(entry.data.get("run", "")) or "another run"
        elif entry.step:
            steps[entry.step] = _after(steps.get(entry.step, StepPast()), entry)
    return Past(opened, closed, plan, rolled_back, steps, over, frozenset(approved))


def _after(past: StepPast, entry: Entry) -> StepPast:
    match entry.event:
        case "started":
            return replace(past, touched=True, started=past.started or entry.at)
        case "acted":
            return replace(past, touched=True, acted=dict(entry.data))
        case "succeeded":
            return replace(past, done=True)
        case "failed":
            ours = {str((past.acted or {}).get("update", ""))} - {""}
            return replace(past, attempts=past.attempts + 1, started=None, acted=None, updates=past.updates | ours)
        case _:
            return past
