"""The phases of a migration, and steps put into them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from msgspec.structs import replace as changed

from eksnetpol.model.actions import Look
from eksnetpol.model.conditions import All, Condition
from eksnetpol.model.plan import Step, Undo
from eksnetpol.planning.draft import Draft

GATE = "0 gate"
BACK_UP = "1 back-up"
TRANSLATE = "2 translate"
BASELINE = "3 baseline"
APPLY = "4 apply"
CONTROLLER = "5a controller"
AGENT = "5b agent"
EXIT = "6 exit"
UNINSTALL = "7 uninstall"
LEFT_OVERS = "8 left-overs"
CLOSE = "9 close"

PHASES = (GATE, BACK_UP, TRANSLATE, BASELINE, APPLY, CONTROLLER, AGENT, EXIT, UNINSTALL, LEFT_OVERS, CLOSE)
"""All of them, in their order; 3 is in plans with probes alone."""

UNINSTALL_DOOR, LEFT_OVERS_DOOR = "uninstall", "left-overs"


def look(id_: str, title: str, until: Condition, phase: str, *, patience: float = 300.0, disrupts: str = "") -> Step:
    """Return a step that does nothing but wait until something is so."""
    return Step(id_, title, Look(), until, patience=patience, phase=phase, disrupts=disrupts)


def nothing_to_do(why: str) -> Undo:
    """Return the way back from a step that needs none; *why* says so."""
    return Undo(f"Leave it: {why}", Look(), All(()))


def in_phase(steps: Iterable[Step], phase: str, *, prefix: str = "") -> tuple[Step, ...]:
    """Return *steps* as part of *phase*, their ids below *prefix*."""
    return tuple(changed(step, id=f"{prefix}/{step.id}" if prefix else step.id, phase=phase) for step in steps)


def of(*steps: Step) -> Draft:
    """Return a draft of *steps*."""
    return Draft(steps=steps)


def with_steps(draft: Draft, steps: Iterable[Step]) -> Draft:
    """Return *draft* with other steps."""
    return replace(draft, steps=tuple(steps))
