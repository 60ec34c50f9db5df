"""The checks as people read them: the list, and one explained."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

from eksnetpol.checks.declare import Check
from eksnetpol.facts.declare import Input
from eksnetpol.facts.declare import catalog as facts
from eksnetpol.model.findings import Intent
from eksnetpol.model.snapshot import SECTIONS

_VERBS = {"cluster": "describe_cluster", "addons": "list_addons", "addon": "describe_addon", "log_permissions": "simulate"}
_NAMED = 4
_NARROWEST = 40


def sections(check: Check) -> dict[str, bool]:
    """Return the sections *check* reads, itself or through facts, and whether it needs them to be able to tell."""
    found: dict[str, bool] = {}
    _expand(check.inputs, found, needed=True)
    return {name: found[name] for name in SECTIONS if name in found}


def permissions(section: str) -> tuple[str, ...]:
    """Return what reading *section* of a live cluster needs, e.g. ``list nodes`` or ``eks:DescribeAddon``."""
    from eksnetpol.gateways.permits import table

    verb = _VERBS.get(section, section)
    return tuple(str(p) for need in table() if need.verb.rsplit(".", 1)[-1] == verb for p in need.permissions)


def document(check: Check) -> dict[str, Any]:
    """Return *check* as plain dicts and lists."""
    return {
        "id": check.id,
        "family": check.family,
        "title": check.title,
        "severity": check.severity.value,
        "intents": [intent.value for intent in _in_order(check)],
        "about": check.about,
        "rationale": check.rationale,
        "reads": {name: {"needed": needed, "permissions": list(permissions(name))} for name, needed in sections(check).items()},
        "sources": list(check.sources),
        "docs": check.docs,
    }


def explain(check: Check, width: int) -> str:
    """Return the page on *check*, at most *width* columns wide but for links."""
    width = max(width, _NARROWEST)
    lines = [check.id, *_wrap(check.title, width), ""]
    lines += _rows(
        (
            ("severity", check.severity.value),
            ("family", check.family),
            ("asked for", check.asked_for),
        ),
        width,
    )
    for paragraph in check.rationale.split("\n\n"):
        lines += ["", *_wrap(paragraph, width)]
    lines += ["", "What it reads, and what a live cluster must allow for that:"]
    lines += _rows(((name, _reading(name, needed)) for name, needed in sections(check).items()), width)
    lines += ["", "Where the rule is from:", *(f"  {_link(source)}" for source in dict.fromkeys((*check.sources, check.docs)))]
    lines += ["", "To accept a finding, in eksnetpol.toml:", *(f"  {line}" for line in _waiver(check.id))]
    lines += ["or on the object itself, as an annotation:", f'  waive.eksnetpol.io/{check.id}: "why; until=2027-12-31"']
    lines += [f"To leave the check out: --skip {check.id}; to show it uncounted: --ignore {check.id}"]
    return "\n".join(lines) + "\n"


def listing(checks: Iterable[Check], width: int) -> str:
    """Return a line for each check, by family; titles are cut to *width* columns."""
    checks = tuple(checks)
    broad = max((len(check.id) for check in checks), default=0)
    lines: list[str] = []
    for family in dict.fromkeys(check.family for check in checks):
        lines += ["", family] if lines else [family]
        for check in (c for c in checks if c.family == family):
            lead = f"  {check.severity.value:8} {check.id.ljust(broad)}  "
            if len(lead) + _NARROWEST > width:
                lines += [lead.rstrip(), *_wrap(check.title, width, "           ")]
            else:
                lines += _wrap(check.title, width, " " * len(lead), lead)
    return "\n".join([*lines, "", f"{len(checks)} checks; `eksnetpol checks explain ID` says why one is asked"]) + "\n"


def markdown(checks: Iterable[Check]) -> str:
    """Return the checks as a table."""
    from eksnetpol.reporting.escape import markdown as escaped

    rows = [
        f"| `{c.id}` | {c.family} | {c.severity.value} | {escaped(c.title)} | {c.asked_for} |"
        for c in checks
    ]
    return "\n".join(["| check | family | severity | a healthy cluster | asked for |", "|---|---|---|---|---|", *rows]) + "\n"


def _in_order(check: Check) -> list[Any]:
    return [intent for intent in Intent if intent in check.intents]


def _expand(inputs: Iterable[Input], found: dict[str, bool], *, needed: bool) -> None:
    for wanted in inputs:
        necessary = needed and not wanted.tolerant
        if wanted.name in SECTIONS:
            found[wanted.name] = found.get(wanted.name, False) or necessary
        elif wanted.name in facts():
            _expand(facts()[wanted.name].inputs, found, needed=necessary)


def _reading(section: str, needed: bool) -> str:
    names = permissions(section)
    text = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
    return text if needed else f"{text} (if it can)"


def _waiver(check: str) -> Iterator[str]:
    yield "[[waivers]]"
    yield f'check = "{check}"'
    yield 'object = "kind/namespace/name"  # as the report writes it; * and ? match'
    yield 'reason = "why this is acceptable"'
    yield "expires = 2027-12-31"


def _rows(pairs: Iterable[tuple[str, str]], width: int) -> list[str]:
    pairs = tuple(pairs)
    broad = max((len(name) for name, _ in pairs), default=0)
    lines: list[str] = []
    for name, text in pairs:
        lead = f"  {name.ljust(broad)}  "
        lines += _wrap(text, width, " " * len(lead), lead)
    return lines


def _wrap(text: str, width: int, indent: str = "", first: str | None = None) -> list[str]:
    return textwrap.wrap(
        " ".join(text.split()),
        width,
        initial_indent=indent if first is None else first,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _link(source: str) -> str:
    repository, sharp, number = source.partition("#")
    return source if source.startswith("http") or not sharp else f"https://github.com/{repository}/issues/{number}"
