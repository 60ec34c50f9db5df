"""One run: what it was to do, and every line of its journal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from eksnetpol.interfaces.acting import Entry
from eksnetpol.model.plan import FORMAT, Plan
from eksnetpol.model.runs import RunSummary
from eksnetpol.reporting import plan_markdown, plan_text, run_list
from eksnetpol.reporting.escape import markdown as md
from eksnetpol.reporting.plan_json import document
from eksnetpol.reporting.policy_words import dumped, lines
from eksnetpol.reporting.yaml import dumped as dumped_yaml


def render(
    run: RunSummary, plan: Plan, entries: Sequence[Entry], form: str, width: int, *, verbose: bool
) -> str:
    """Return the run as text, markdown, json or yaml."""
    match form:
        case "json":
            return dumped(_document(run, plan, entries))
        case "yaml":
            return dumped_yaml(_document(run, plan, entries))
        case "markdown":
            return _markdown(run, plan, entries, verbose=verbose)
        case _:
            page = lines(_text(run, entries), width, ascii_only=True)
            return f"{page}\nIts plan\n\n{plan_text.text(plan, width, color=False, verbose=verbose)}"


def _document(run: RunSummary, plan: Plan, entries: Sequence[Entry]) -> dict[str, Any]:
    journal = [msgspec.to_builtins(entry) for entry in entries]
    return {"apiVersion": FORMAT, "kind": "Run", "run": run_list.entry(run), "plan": document(plan), "journal": journal}


def _words(entry: Entry) -> str:
    about = f" {entry.step}" if entry.step else ""
    return f"{entry.event}{about}{f': {entry.detail}' if entry.detail else ''}"


def _text(run: RunSummary, entries: Sequence[Entry]) -> Iterator[tuple[int, str]]:
    yield 0, f"Run {run.id}: {run.state}, {run.done} of {run.steps} steps done."
    what = run.title or (run.verb.value if run.verb else "")
    yield 0, f"{what}, {run.target.title}, by {run.by or 'somebody'}, eksnetpol {run.tool}"
    if run.undoes:
        yield 0, f"It goes back on run {run.undoes}."
    yield 0, ""
    yield 0, "Journal"
    for entry in entries:
        yield 2, f"{run_list.when(entry.at)}  {_words(entry)}"


def _markdown(run: RunSummary, plan: Plan, entries: Sequence[Entry], *, verbose: bool) -> str:
    rows = [f"# Run {md(run.id)}: {md(run.state)}", "", f"{run.done} of {run.steps} steps done, by {md(run.by)}.", ""]
    rows += ["| time | event | step | |", "|---|---|---|---|"]
    rows += [f"| {run_list.when(e.at)} | {e.event} | {md(e.step)} | {md(e.detail)} |" for e in entries]
    return "\n".join(rows) + "\n\n" + plan_markdown.markdown(plan, verbose=verbose)
