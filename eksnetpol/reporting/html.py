"""One self-contained page: no request leaves it, and only its own style and script, known by their hashes, take effect."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from eksnetpol.assets.locate import root
from eksnetpol.model.findings import CheckResult, Outcome, Report, Unknown
from eksnetpol.reporting import view
from eksnetpol.reporting.escape import visible
from eksnetpol.reporting.options import Options

_FINDINGS_SHOWN, _COMMANDS_SHOWN = 100, 10
_EVERYTHING = 10**9


@dataclass(frozen=True, slots=True)
class _Card:
    """One check, as the page shows it. ``look`` colours it, ``outcome`` is what the filter goes by."""

    result: CheckResult
    outcome: str
    look: str
    label: str
    is_open: bool
    limit: int
    advice: tuple[view.Advice, ...]
    unknowns: tuple[Unknown, ...]
    settled: tuple[view.Settled, ...]
    rationale: tuple[str, ...]
    link: str


def write(report: Report, options: Options) -> str:
    """Return *report* as HTML."""
    template, style, script = _parts()
    cards = tuple(_cards(report, verbose=options.verbose))
    page = template.render(
        policy=content_policy(style, script),
        style=Markup(style),  # noqa: S704 - ours, from the package
        script=Markup(script),  # noqa: S704 - ours, from the package
        report=report,
        verdict=report.verdict.value,
        sentence=view.sentence(report),
        counts=view.counts(report),
        title=view.title(report),
        circumstances=view.circumstances(report),
        outcomes=tuple(dict.fromkeys(card.outcome for card in cards)),
        families=sorted({result.family for result in report.results}),
        cards=cards,
        gaps=view.gaps(report),
        notes=report.notes,
    )
    return page.rstrip() + "\n"


@lru_cache(maxsize=1)
def _parts() -> tuple[Template, str, str]:
    folder = root("templates") / "report"
    page, style, script = ((folder / name).read_text(encoding="utf-8") for name in ("report.html.j2", "report.css", "report.js"))
    return environment().from_string(page), style, script


def environment() -> Environment:
    """Return how pages are filled in: everything is escaped, and made visible, but what is `Markup` already."""
    return Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_finalize)


def _finalize(value: Any) -> Any:
    if isinstance(value, Markup):
        return value
    return visible(str(value), keep="\n")


def content_policy(style: str, script: str) -> str:
    """Return the Content-Security-Policy under which *style* and *script* take effect, and nothing else."""
    return f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; base-uri 'none'; form-action 'none'"


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _cards(report: Report, *, verbose: bool) -> Iterator[_Card]:
    settled = view.settled(report)
    limit = _EVERYTHING if verbose else _FINDINGS_SHOWN
    commands = _EVERYTHING if verbose else _COMMANDS_SHOWN
    for result in report.results:
        outcome, look = _standing(result)
        yield _Card(
            result=result,
            outcome=outcome,
            look=look,
            label=look,
            is_open=outcome in {"failed", "errored"},
            limit=limit,
            advice=view.advice(result, limit=limit, commands=commands),
            unknowns=result.unknowns[:limit],
            settled=tuple(item for item in settled if item.check.id == result.id),
            rationale=tuple(part.replace("\n", " ") for part in result.rationale.split("\n\n") if part.strip()),
            link=result.docs if result.docs.startswith("https://") else "",
        )


def _standing(result: CheckResult) -> tuple[str, str]:
    """Return the word the filter goes by and the word the card wears."""
    if result.open_findings:
        worst = min((f.severity for f in result.open_findings), key=lambda s: s.rank)
        return "failed", worst.value
    if result.ignored and result.outcome not in {Outcome.PASSED, Outcome.SKIPPED}:
        return "set aside", "ignored"
    if result.outcome is Outcome.FAILED:
        return ("unknown", "unknown") if result.unknowns else ("set aside", "set aside")
    return result.outcome.value, result.outcome.value
