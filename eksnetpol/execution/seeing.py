"""What a look at a condition says, and what to watch until the next look."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from eksnetpol.model.kinds import Json, ObjectRef


class State(StrEnum):
    """What a condition is like. *hopeless*: waiting will not make it true."""

    HOLDS = "holds"
    PENDING = "pending"
    HOPELESS = "hopeless"


@dataclass(frozen=True, slots=True)
class Awaited:
    """The object that is going to change, watched from resourceVersion ``since`` on.

    ``ends`` says of the object as it is now whether another look is worth while, ``told`` hears of every change. ``paced`` is
    true where the look asks AWS, and need not be made often.
    """

    ref: ObjectRef
    ends: Callable[[Json], bool]
    since: str = ""
    told: Callable[[Json], None] | None = None
    paced: bool = False


@dataclass(frozen=True, slots=True)
class Observation:
    """What was seen, in words that name the object."""

    state: State
    seen: str
    awaited: Awaited | None = None
    over: bool = False
    """Set where no later look may take it for true: what was seen has left something behind that no look shows."""


def holds(seen: str) -> Observation:
    """Return that it holds."""
    return Observation(State.HOLDS, seen)


def pending(seen: str, awaited: Awaited | None = None) -> Observation:
    """Return that it does not hold yet."""
    return Observation(State.PENDING, seen, awaited)


def hopeless(seen: str) -> Observation:
    """Return that it will not hold by waiting."""
    return Observation(State.HOPELESS, seen)


def over(seen: str) -> Observation:
    """Return that it will not hold, and that the run cannot be gone on with, see `errors.RunOver`."""
    return Observation(State.HOPELESS, seen, over=True)


def condition_of(found: Json | None, kind: str) -> Json:
    """Return the condition *kind* of an object's status, as the API has it; empty where it has none."""
    conditions = ((found or {}).get("status") or {}).get("conditions") or ()
    return next((one for one in conditions if one.get("type") == kind), {})


def true_of(found: Json | None, kind: str) -> str:
    """Return what a condition of an object's status says that is true, empty where it is not."""
    one = condition_of(found, kind)
    return str(one.get("message") or one.get("reason") or kind) if one.get("status") == "True" else ""


def version_of(found: Json | None) -> str:
    """Return an object's resourceVersion, empty where it has none."""
    return str(((found or {}).get("metadata") or {}).get("resourceVersion", ""))
