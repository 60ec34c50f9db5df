"""Where a migration stands, for a terminal and for machines: its run phase by phase, and each node."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from eksnetpol.migration.present import By, NodeNow, Present
from eksnetpol.model.plan import FORMAT, Plan
from eksnetpol.model.runs import RunSummary
from eksnetpol.model.snapshot import Target
from eksnetpol.reporting.plan_view import by_phase
from eksnetpol.reporting.policy_words import dumped, lines
from eksnetpol.reporting.view import plural
from eksnetpol.reporting.yaml import dumped as dumped_yaml

_NODES = 40
"""So many nodes are shown in text, those that need a look first; all are counted."""


@dataclass(frozen=True, slots=True)
class PhaseNow:
    """How far one phase of a run is."""

    name: str
    done: int
    steps: int
    next: str = ""
    """The first step that is not done, empty where all are."""


@dataclass(frozen=True, slots=True)
class MoveStatus:
    """A migration of the cluster *target*. ``run`` is its newest one here, None where there is none."""

    target: Target
    present: Present
    run: RunSummary | None = None
    phases: tuple[PhaseNow, ...] = ()
    door: str = ""
    """The one-way door it waits before, empty for none."""
    stopped: str = ""
    """Where it stopped and why, as it said then; empty where it was killed without a word, goes on or is done."""

    @property
    def ways(self) -> tuple[str, ...]:
        """The commands that come next."""
        if self.run is None:
            return ("eksnetpol migrate rehearse", "eksnetpol migrate run --plan") if self.present.engine else ()
        if self.run.state == "finished":
            return (f"eksnetpol migrate verify --run {self.run.id}",)
        if self.run.state in {"rolled back", "unreadable"}:
            return ()
        confirm = f" --confirm {self.door}" if self.door else ""
        return (f"eksnetpol resume {self.run.id}{confirm}", f"eksnetpol rollback {self.run.id}")


def phases_of(plan: Plan, done: frozenset[str]) -> tuple[PhaseNow, ...]:
    """Return how far each phase of *plan* is, of which the steps in *done* are."""
    return tuple(
        PhaseNow(
            phase,
            sum(step.id in done for _, step in steps),
            len(steps),
            next((step.id for _, step in steps if step.id not in done), ""),
        )
        for phase, steps in by_phase(plan)
    )


def render(status: MoveStatus, form: str, width: int) -> str:
    """Return *status* as text, json or yaml."""
    if form == "json":
        return dumped(document(status))
    if form == "yaml":
        return dumped_yaml(document(status))
    return lines(_text(status), width, ascii_only=True)


def document(status: MoveStatus) -> dict[str, Any]:
    """Return *status* as JSON has it."""
    run = status.run
    return {
        "apiVersion": FORMAT,
        "kind": "MigrationStatus",
        "cluster": status.target.title,
        "engine": status.present.engine,
        "enforcing": status.present.enforcing,
        "nodes": [
            {
                "name": node.name,
                "by": node.by.value,
                "labelled": node.labelled,
                "leaving": node.leaving,
                "cordoned": node.cordoned,
                "pods": node.pods,
            }
            for node in status.present.nodes
        ],
        "counts": {by.value: count for by, count in status.present.counts.items()},
        "run": None if run is None else {"id": run.id, "state": run.state, "done": run.done, "steps": run.steps},
        "phases": [{"name": p.name, "done": p.done, "steps": p.steps, "next": p.next} for p in status.phases],
        "door": status.door,
        "stopped": status.stopped,
        "next": list(status.ways),
    }


def _text(status: MoveStatus) -> Iterator[tuple[int, str]]:
    yield 0, f"{status.target.title}: {_headline(status)}."
    for node in status.present.open:
        yield 0, f"! {node.name}: {plural(node.pods, 'pod')} on it, and neither engine's agent runs there"
    if status.run is not None:
        yield from ((0, ""), (0, f"Run {status.run.id}: {status.run.state}, {status.run.done} of {status.run.steps} steps done"))
        for phase in status.phases:
            at = f"; next: {phase.next}" if phase.next and phase.done else ""
            mark = "+" if phase.done == phase.steps else "~" if phase.done else " "
            yield 2, f"{mark} {phase.name}: {phase.done} of {phase.steps}{at}"
        if status.stopped:
            yield 2, f"it stopped at {status.stopped}"
        if status.door:
            yield 2, f"it waits before the one-way door {status.door}"
    yield from _nodes(status.present)
    if status.ways:
        yield from ((0, ""), (0, "Next"))
    yield from ((2, way) for way in status.ways)


_POLICED = {
    By.OLD: "policed by it alone",
    By.BOTH: "policed by both engines",
    By.NEW: "policed by the VPC CNI alone",
    By.NOBODY: "policed by nobody",
}


def _headline(status: MoveStatus) -> str:
    present = status.present
    if not present.engine:
        on = {True: "the VPC CNI's agents are on", False: "the VPC CNI's agents are off", None: "no VPC CNI is there"}
        return f"no other engine runs here; {on[present.enforcing]}"
    counts = present.counts
    told = ", ".join(f"{counts[by]:,} {_POLICED[by]}" for by in By if counts[by])
    return f"{present.engine} is here; {plural(len(present.nodes), 'node')}: {told}"


def _nodes(present: Present) -> Iterator[tuple[int, str]]:
    if not present.nodes:
        return
    yield from ((0, ""), (0, "Nodes"))
    shown = sorted(present.nodes, key=_urgency)
    for node in shown[:_NODES]:
        yield 2, f"{node.name}: {_words(node)}"
    if len(shown) > _NODES:
        yield 2, f"and {len(shown) - _NODES:,} more; -o json lists all"


def _urgency(node: NodeNow) -> tuple[int, str]:
    order = (By.NOBODY, By.BOTH, By.OLD, By.NEW)
    return (0 if node.leaving or node.cordoned else 1) * len(order) + order.index(node.by), node.name


def _words(node: NodeNow) -> str:
    marks = (
        "labelled" if node.labelled else "",
        "being left" if node.leaving else "",
        "cordoned" if node.cordoned else "",
        plural(node.pods, "pod"),
    )
    return f"{node.by.value}; {', '.join(mark for mark in marks if mark)}"
