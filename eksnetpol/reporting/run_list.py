"""Runs, a line each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from eksnetpol.model.plan import FORMAT
from eksnetpol.model.runs import RunSummary
from eksnetpol.reporting.policy_words import dumped, lines
from eksnetpol.reporting.yaml import dumped as dumped_yaml


def render(runs: Sequence[RunSummary], form: str, place: str, width: int) -> str:
    """Return *runs*, which are kept in *place*, as text, json or yaml."""
    if form == "json":
        return dumped(document(runs))
    if form == "yaml":
        return dumped_yaml(document(runs))
    return lines(_text(runs, place), width, ascii_only=True)


def document(runs: Sequence[RunSummary]) -> dict[str, Any]:
    """Return *runs* as JSON has them."""
    return {"apiVersion": FORMAT, "kind": "RunList", "runs": [entry(run) for run in runs]}


def entry(run: RunSummary) -> dict[str, Any]:
    """Return one run as JSON has it."""
    return dict(msgspec.to_builtins(run))


def when(moment: datetime) -> str:
    """Return a time as people read it, in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _text(runs: Sequence[RunSummary], place: str) -> list[tuple[int, str]]:
    if not runs:
        return [(0, f"There are no runs in {place}.")]
    rows: list[tuple[int, str]] = []
    for run in runs:
        rows.append((0, f"{run.id}  {run.state}{_progress(run)}  {run.target.title}"))
        rows.append((2, run.problem or f"{when(run.started_at)}  {run.title or (run.verb.value if run.verb else '')}{_by(run)}"))
        if run.undoes:
            rows.append((2, f"went back on {run.undoes}"))
        if run.state in {"failed", "stopped"} and run.detail:
            rows.append((2, run.detail))
    return rows


def _progress(run: RunSummary) -> str:
    return f" ({run.done}/{run.steps} steps)" if run.steps else ""


def _by(run: RunSummary) -> str:
    return f", by {run.by}" if run.by else ""
