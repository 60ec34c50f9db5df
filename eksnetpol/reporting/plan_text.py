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
    if plan.changes:
        yield 0, ""
        yield 0, "What changes"
        for place in view.places(plan):
            yield 2, place.where
            for change in place.changes:
                yield 4, view.change_words(change)
    if plan.forecasts:
        yield 0, ""
        yield 0, "What others own, and what --resolve-conflicts would do"
        for row in view.forecast_rows(plan):
            found = row.forecast
            yield 2, f"{found.where} {found.path} (owned by {found.owner})"
            yield 4, f"none: {row.none}; preserve: {row.preserve}; overwrite: {row.overwrite}"
    if plan.steps:
        yield 0, ""
        yield 0, "Steps"
        for number, step in enumerate(plan.steps, 1):
            yield 2, view.step_words(step, number)
            for note in view.step_notes(step):
                yield 5, note
    for title, words in view.sections(plan, everything=verbose):
        yield 0, ""
        yield 0, title
        for line in words:
            yield 2, line
    refusals = view.refusal_words(plan)
    if refusals:
        yield 0, ""
        yield 0, "Refused as it stands"
        for words in refusals:
            yield 2, f"x {words}"
