"""A plan as Markdown, for the change ticket or a comment on a change."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.model.plan import Plan
from eksnetpol.reporting import plan_view as view
from eksnetpol.reporting.escape import markdown as md
from eksnetpol.reporting.escape import markdown_code as code


def markdown(plan: Plan, *, verbose: bool = False) -> str:
    """Return *plan* as Markdown."""
    headline = view.headline(plan)
    parts = [f"## {md(headline[:1].upper() + headline[1:])}", "", md(view.circumstances(plan))]
    parts += _changes(plan)
    parts += _forecasts(plan)
    parts += _steps(plan)
    for title, words in view.sections(plan, everything=verbose):
        parts += ["", f"### {md(title)}", *([""] if words else []), *(f"- {md(line)}" for line in words)]
    refusals = view.refusal_words(plan)
    if refusals:
        parts += ["", "### Refused as it stands", "", *(f"- {md(words)}" for words in refusals)]
    return "\n".join(parts) + "\n"


def _changes(plan: Plan) -> Iterator[str]:
    if not plan.changes:
        return
    yield from ("", "### What changes", "", "| where | field | before | after | owners |", "|---|---|---|---|---|")
    for change in plan.changes:
        before, after = ("" if value is None else code(value, cell=True) for value in (change.before, change.after))
        owners = md(", ".join(change.owners))
        yield f"| {md(change.where)} | {code(change.path, cell=True)} | {before} | {after} | {owners} |"


def _forecasts(plan: Plan) -> Iterator[str]:
    if not plan.forecasts:
        return
    yield from ("", "### What others own", "", "| field | owner | none | preserve | overwrite |", "|---|---|---|---|---|")
    for row in view.forecast_rows(plan):
        field = code(f"{row.forecast.where} {row.forecast.path}", cell=True)
        yield f"| {field} | {md(row.forecast.owner)} | {md(row.none)} | {md(row.preserve)} | {md(row.overwrite)} |"


def _steps(plan: Plan) -> Iterator[str]:
    if not plan.steps:
        return
    yield from ("", "### Steps", "")
    openings = view.openings(plan)
    for phase, steps in view.by_phase(plan):
        if phase:
            yield from ("", f"#### Phase {md(phase)}", "")
        for number, step in steps:
            yield f"{number}. **{md(step.id)}**: {md(step.title)}"
            yield from (f"   - {md(note)}" for note in view.step_notes(step, opens=step.id in openings))
