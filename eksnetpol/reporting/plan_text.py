"""A plan for the terminal: the dry run is this page."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.model.plan import Plan
from eksnetpol.reporting import plan_view as view
from eksnetpol.reporting.policy_words import lines


def text(plan: Plan, width: int, *, color: bool, verbose: bool = False) -> str:
    """Return *plan* in lines of at most *width* columns; ASCII where there is no *color*."""
    return lines(_text(plan, verbose=verbose), width, ascii_only=not color)


def _text(plan: Plan, *, verbose: bool) -> Iterator[tuple[int, str]]:
    headline = view.headline(plan)
    yield 0, f"{headline[:1].upper()}{headline[1:]}."
    yield 0, view.circumstances(plan)
    parts = (_changes(plan), _forecasts(plan), _steps(plan), _lists(plan, verbose=verbose), _refusals(plan))
    for part in parts:
        yield from part


def _changes(plan: Plan) -> Iterator[tuple[int, str]]:
    if plan.changes:
        yield from ((0, ""), (0, "What changes"))
    for place in view.places(plan):
        yield 2, place.where
        for change in place.changes:
            yield 4, view.change_words(change)


def _forecasts(plan: Plan) -> Iterator[tuple[int, str]]:
    if plan.forecasts:
        yield from ((0, ""), (0, "What others own, and what --resolve-conflicts would do"))
    for row in view.forecast_rows(plan):
        yield 2, f"{row.forecast.where} {row.forecast.path} (owned by {row.forecast.owner})"
        yield 4, f"none: {row.none}; preserve: {row.preserve}; overwrite: {row.overwrite}"


def _steps(plan: Plan) -> Iterator[tuple[int, str]]:
    if plan.steps:
        yield from ((0, ""), (0, "Steps"))
    openings = view.openings(plan)
    for phase, steps in view.by_phase(plan):
        if phase:
            yield 1, f"Phase {phase}"
        for number, step in steps:
            yield 2, view.step_words(step, number)
            for note in view.step_notes(step, opens=step.id in openings):
                yield 5, note


def _lists(plan: Plan, *, verbose: bool) -> Iterator[tuple[int, str]]:
    for title, words in view.sections(plan, everything=verbose):
        yield from ((0, ""), (0, title))
        for line in words:
            yield 2, line


def _refusals(plan: Plan) -> Iterator[tuple[int, str]]:
    refusals = view.refusal_words(plan)
    if refusals:
        yield from ((0, ""), (0, "Refused as it stands"))
    for words in refusals:
        yield 2, f"x {words}"
