"""A plan as people read it: headline, what changes where, what it costs, how to go back. Shared by text and Markdown.

Nothing here is escaped: that is each format's own duty.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC
from itertools import groupby

from msgspec.structs import replace

from eksnetpol.model.conditions import Soaked
from eksnetpol.model.plan import FieldChange, Forecast, Isolation, Plan, Rollout, Step, Undo, Verb
from eksnetpol.reporting.view import plural

NAMED = 8
"""So many workloads or policies are named before the rest is counted."""

_DOES = {
    Verb.ENABLE: "turn network policy on",
    Verb.UPGRADE: "upgrade the VPC CNI",
    Verb.DISABLE: "turn network policy off",
    Verb.RESTORE: "put policies back",
    Verb.ROLLBACK: "go back",
    Verb.MIGRATE: "leave another policy engine",
}
_MINUTE, _HOUR = 60, 3600


@dataclass(frozen=True, slots=True)
class Place:
    """The fields of one thing that change."""

    where: str
    changes: tuple[FieldChange, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A field somebody else owns, and its fate under each way of resolving conflicts."""

    forecast: Forecast
    none: str
    preserve: str
    overwrite: str


def headline(plan: Plan) -> str:
    """Return the plan in one sentence."""
    name = plan.target.title
    by = f" by its {plan.way.value}" if plan.way else ""
    if not plan.steps:
        ends = "cannot be done as it stands" if plan.refusals else "nothing is left to do"
        return f"{plan.title or f'{_DOES[plan.verb]} in {name}'}: {ends}"
    return f"{plan.title or f'{_DOES[plan.verb]} in {name}{by}'}: {plural(len(plan.steps), 'step')}{_lasting(plan)}"


def _lasting(plan: Plan) -> str:
    seconds = plan.rollout.seconds if plan.rollout else None
    if plan.verb is Verb.MIGRATE:
        # What is waited for on purpose; how long nodes and pods take is theirs to say.
        waits = sum(step.until.seconds for step in plan.steps if isinstance(step.until, Soaked))
        return f", at least {duration(waits + (seconds or 0))} (an estimate)"
    return "" if seconds is None else f", about {duration(seconds)} (an estimate)"


def circumstances(plan: Plan) -> str:
    """Return for which cluster, when and by which release of this tool it was made."""
    where = ", ".join(part for part in (plan.target.region, plan.target.account) if part)
    when = plan.made_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    about = f"{plan.target.title} ({where})" if where else plan.target.title
    return f"plan {plan.digest} for {about}, made {when}, eksnetpol {plan.tool}"


def duration(seconds: float) -> str:
    """Return a time in words: ``40 s``, ``5 min``, ``2 h 10 min``."""
    if seconds < _MINUTE:
        return f"{round(seconds)} s"
    if seconds < _HOUR:
        return f"{round(seconds / _MINUTE)} min"
    hours, rest = divmod(round(seconds / _MINUTE), _MINUTE)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def places(plan: Plan) -> tuple[Place, ...]:
    """Return what changes, by what it belongs to, in the order of the plan."""
    return tuple(Place(where, tuple(found)) for where, found in groupby(plan.changes, key=lambda change: change.where))


def change_words(change: FieldChange) -> str:
    """Return one field, what it was and what it will be, and who owns it."""
    owned = f"  (owned by {', '.join(change.owners)})" if change.owners else ""
    if not change.path:
        # All of an object, and what becomes of it in one word.
        return f"{'+' if change.before is None else '~'} {change.after}{owned}"
    if change.before is None:
        return f"+ {change.path} = {_short(change.after)}{owned}"
    if change.after is None:
        return f"- {change.path}, which is {_short(change.before)}{owned}"
    return f"~ {change.path}: {_short(change.before)} -> {_short(change.after)}{owned}"


_LONGEST = 160


def _short(value: str | None) -> str:
    text = "" if value is None else " ".join(value.split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}... ({len(text):,} characters)"


def forecast_rows(plan: Plan) -> tuple[Row, ...]:
    """Return what each way of resolving conflicts would do to every field that somebody else owns."""
    return tuple(
        Row(
            found,
            none="fails",
            preserve=f"stays {_value(found.live)}",
            overwrite="goes" if found.told is None else f"becomes {_value(found.told)}",
        )
        for found in plan.forecasts
    )


def _value(value: str | None) -> str:
    return "absent" if value is None else _short(value)


def isolation_words(found: Iterable[Isolation], *, everything: bool = False) -> Iterator[str]:
    """Yield who becomes isolated, those first that nothing at all is let through; equal directions together."""
    alike: dict[Isolation, list[str]] = {}
    for row in found:
        alike.setdefault(replace(row, direction="ingress"), []).append(row.direction)
    rows = sorted(alike, key=lambda row: (not row.closed, row.workload))
    for row in rows if everything else rows[:NAMED]:
        some = plural(row.isolated, "pod") if row.isolated == row.pods else f"{row.isolated} of {plural(row.pods, 'pod')}"
        closed = ""
        if row.closed:
            closed = ", nothing is let through" if row.closed == row.isolated else f", nothing is let through to {row.closed}"
        policies = list(row.policies) if everything else list(row.policies[:3])
        more = len(row.policies) - len(policies)
        by = f" by {', '.join(policies)}{f' and {more} more' if more else ''}" if policies else ""
        yield f"{row.workload} {' and '.join(sorted(alike[row], reverse=True))}: {some}{closed}{by}"
    if not everything and len(rows) > NAMED:
        yield f"and {len(rows) - NAMED} more; -v and -o json name them"


def isolation_title(found: tuple[Isolation, ...]) -> str:
    """Return how many workloads become isolated."""
    workloads = len({row.workload for row in found})
    closed = len({row.workload for row in found if row.closed})
    shut = f", {closed} of them in a direction in which nothing is let through" if closed else ""
    return f"Policies take effect: {plural(workloads, 'workload')} {'becomes' if workloads == 1 else 'become'} isolated{shut}"


def rollout_words(rollout: Rollout) -> str:
    """Return how ``aws-node`` rolls."""
    if rollout.on_delete:
        return (
            f"aws-node does not roll by itself (update strategy OnDelete): its pods on {plural(rollout.nodes, 'node')} "
            "have to be deleted one by one"
        )
    lasting = "" if rollout.seconds is None else f", about {duration(rollout.seconds)} (an estimate)"
    return f"aws-node rolls on {plural(rollout.nodes, 'node')}, {rollout.at_once} at a time{lasting}"


def openings(plan: Plan) -> frozenset[str]:
    """Return the ids of the first steps behind each one-way door."""
    first: dict[str, str] = {}
    for step in plan.steps:
        if step.door:
            first.setdefault(step.door, step.id)
    return frozenset(first.values())


def by_phase(plan: Plan) -> Iterator[tuple[str, tuple[tuple[int, Step], ...]]]:
    """Yield the steps with their numbers, phase by phase; the phase is empty where a plan has none."""
    for phase, steps in groupby(enumerate(plan.steps, 1), key=lambda one: one[1].phase):
        yield phase, tuple(steps)


def step_words(step: Step, number: int) -> str:
    """Return a step in one line."""
    return f"{number}. {step.id}: {step.title}"


def step_notes(step: Step, *, opens: bool = False) -> Iterator[str]:
    """Yield what a step may disturb, and the way back; *opens* is the first step behind a one-way door."""
    if step.disrupts:
        yield f"meanwhile: {step.disrupts}"
    if opens:
        yield f"a one-way door: a run stops here until --confirm {step.door}"
    if step.one_way:
        yield f"one way: {step.one_way}"
    elif step.undo is not None:
        yield f"way back: {undo_words(step.undo)}"


def undo_words(undo: Undo) -> str:
    """Return a way back in words."""
    return undo.title


def refusal_words(plan: Plan) -> tuple[str, ...]:
    """Return why the plan is not carried out as it stands, with the flag that would."""
    return tuple(f"{r.why} ({r.flag} goes on nevertheless)" if r.flag else r.why for r in plan.refusals)


def isolation_unknown(plan: Plan) -> str:
    """Return what to say where nobody can tell whom enforcement isolates; empty where that does not arise."""
    if plan.verb is Verb.ENABLE and plan.steps and plan.isolates is None:
        return "Whom policies will isolate could not be told: pods, namespaces or policies were not read."
    return ""


def sections(plan: Plan, *, everything: bool = False) -> Iterator[tuple[str, list[str]]]:
    """Yield the lists a plan ends with, each with its title."""
    if plan.isolates:
        yield isolation_title(plan.isolates), list(isolation_words(plan.isolates, everything=everything))
    elif plan.isolates == () and plan.verb is Verb.ENABLE and plan.steps:
        yield "Policies take effect: nobody becomes isolated", []
    elif isolation_unknown(plan):
        yield isolation_unknown(plan), []
    if plan.rollout is not None and plan.steps:
        yield rollout_words(plan.rollout), []
    for title, words in (
        ("Worth knowing", plan.facts),
        ("Warnings", plan.warnings),
        ("Afterwards", plan.afterwards),
    ):
        if words:
            yield title, list(words)
