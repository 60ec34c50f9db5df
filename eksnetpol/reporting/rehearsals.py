"""A rehearsal as people and programs read it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from eksnetpol.migration.timeline import Rehearsal
from eksnetpol.reporting import rehearsal_html
from eksnetpol.reporting import rehearsal_view as view
from eksnetpol.reporting.escape import markdown as md
from eksnetpol.reporting.escape import visible
from eksnetpol.reporting.policy_words import dumped, lines
from eksnetpol.reporting.yaml import dumped as dumped_yaml

FORMATS = ("text", "json", "yaml", "markdown", "html")


def render(done: Rehearsal, form: str, width: int, *, color: bool = False, verbose: bool = False) -> str:
    """Return *done* as one of `FORMATS`."""
    match form:
        case "json":
            return dumped(document(done))
        case "yaml":
            return dumped_yaml(document(done))
        case "markdown":
            return _markdown(done, verbose=verbose)
        case "html":
            return rehearsal_html.write(done)
        case _:
            return _text(done, width, ascii_only=not color, verbose=verbose)


def document(done: Rehearsal) -> dict[str, Any]:
    """Return *done* as JSON has it."""
    found: dict[str, Any] = msgspec.to_builtins(done)
    return {**found, "outcome": view.outcome(done), "exitCode": done.exit_code}


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the document."""
    made = msgspec.json.schema(Rehearsal)
    own = made["$defs"]["Rehearsal"]
    own["properties"] |= {"outcome": {"enum": ["well", "broken", "stopped"]}, "exitCode": {"type": "integer"}}
    own["required"] = [*own.get("required", ()), "outcome", "exitCode"]
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, "$id": "urn:eksnetpol:rehearsal:v1", "title": "A rehearsal of eksnetpol", **made}


def _text(done: Rehearsal, width: int, *, ascii_only: bool, verbose: bool) -> str:
    parts = [lines([(0, f"{view.headline(done)}."), (0, "")], width, ascii_only=ascii_only)]
    parts.append(_table(view.COLUMNS, (row.cells for row in view.rows(done)), ascii_only=ascii_only))
    if verbose:
        parts += ["\n", _table(("step", *view.COLUMNS[1:]), (row.cells for row in view.steps(done)), ascii_only=ascii_only)]
    for title, words in view.sections(done, everything=verbose):
        parts.append(lines([(0, ""), (0, title), *((2, line) for line in words)], width, ascii_only=ascii_only))
    return "".join(parts)


def _table(head: Sequence[str], body: Iterable[Sequence[str]], *, ascii_only: bool) -> str:
    """Return columns beside each other. They are never broken: what is too wide for a terminal is scrolled to."""
    rows = [list(head), *([visible(cell, ascii_only=ascii_only) for cell in row] for row in body)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(head))]
    return "".join(f"{'  '.join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip()}\n" for row in rows)


def _markdown(done: Rehearsal, *, verbose: bool) -> str:
    parts = [f"## {md(view.headline(done))}", "", *_grid(view.COLUMNS, (row.cells for row in view.rows(done)))]
    if verbose:
        parts += ["", "### Steps", "", *_grid(("step", *view.COLUMNS[1:]), (row.cells for row in view.steps(done)))]
    for title, words in view.sections(done, everything=verbose):
        parts += ["", f"### {md(title)}", "", *(f"- {md(line)}" for line in words)]
    return "\n".join(parts) + "\n"


def _grid(head: Sequence[str], body: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    yield from (f"| {' | '.join(md(cell) for cell in row)} |" for row in body)
