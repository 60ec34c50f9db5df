"""What a replay of flows comes to, for machines: JSON, CSV and JUnit XML."""

from __future__ import annotations

import csv as tables
import io
from collections.abc import Iterator
from typing import Any

from eksnetpol.model.flows import FileReport
from eksnetpol.policy.flow_report import FlowReport, Row
from eksnetpol.policy.flow_verdicts import Verdict
from eksnetpol.policy.questions import settling
from eksnetpol.policy.suggest import Suggestion
from eksnetpol.reporting import flow_words as told
from eksnetpol.reporting import policy_words as words
from eksnetpol.reporting.escape import encodable, xml, xml_attribute

HEAD = (
    "verdict", "observed", "from", "to", "protocol", "port", "service", "flows", "replies", "bytes", "first", "last", "denied",
    "reason",
)  # fmt: skip


def json(report: FlowReport, place_of: words.PlaceOf) -> str:
    """Return *report* as JSON: a group for each pair of parties, protocol, port and verdict."""
    return words.dumped(
        {
            **words.profile_document(report.profile),
            "wouldBeDenied": sum(r.group.flows for r in report.breaking),
            "groups": [_group(row, place_of) for row in report.rows],
            "policies": [_suggestion(s) for s in report.policies],
            "files": [_file(f) for f in report.files],
            "betweenOthers": report.unasked,
            "aside": dict(report.aside),
            "serverSettledBy": {how.value: count for how, count in report.settled.items()},
            "notes": [encodable(note) for note in report.notes],
        }
    )


def _group(row: Row, place_of: words.PlaceOf) -> dict[str, Any]:
    group = row.group
    sides = group.judgement.sides
    return {
        "verdict": group.verdict.value,
        "observed": group.observed.value,
        "from": encodable(group.source.title),
        "to": encodable(group.destination.title),
        "fromAddresses": list(group.from_addresses.blocks()),
        "toAddresses": list(group.to_addresses.blocks()),
        "protocol": group.protocol,
        "port": None if group.protocol.startswith("ICMP") else group.number or None,
        "service": {"name": group.asked[0].title, "port": group.asked[1]} if group.asked else None,
        "flows": group.flows,
        "replies": group.replies,
        "bytes": group.size,
        "first": told.moment(group.first) or None,
        "last": told.moment(group.last) or None,
        "deniedAt": [direction.value for direction in group.judgement.denied_at],
        "deciders": [words.decider_document(d, place_of) for side in sides for d in settling(side)],
        "reason": group.judgement.reason or None,
        "cautions": list(row.cautions),
        "suggestions": [_suggestion(s) for s in row.suggestions],
    }


def _suggestion(suggestion: Suggestion) -> dict[str, Any]:
    return {
        "direction": suggestion.direction.value,
        "words": encodable(suggestion.words),
        "policy": dict(suggestion.policy) or None,
        "into": None if suggestion.into is None else str(suggestion.into),
    }


def _file(file: FileReport) -> dict[str, Any]:
    return {
        "file": encodable(file.name),
        "format": file.format.value,
        "lines": file.lines,
        "malformed": file.malformed,
        "examples": [{"line": e.line or None, "reason": encodable(e.reason)} for e in file.examples],
        "notes": list(file.notes),
    }


def csv(report: FlowReport, place_of: words.PlaceOf) -> str:
    """Return *report* as CSV (RFC 4180, with line feeds): a row for each group."""
    buffer = io.StringIO()
    writer = tables.writer(buffer, lineterminator="\n")
    writer.writerow(HEAD)
    for row in report.rows:
        group = row.group
        writer.writerow(
            (
                group.verdict.value,
                group.observed.value,
                _cell(row.source),
                _cell(row.destination),
                group.protocol,
                "" if group.protocol.startswith("ICMP") else group.number or "",
                _cell(f"{group.asked[0].title}:{group.asked[1]}") if group.asked else "",
                group.flows,
                group.replies,
                group.size,
                told.moment(group.first),
                told.moment(group.last),
                " ".join(direction.value for direction in group.judgement.denied_at),
                _cell("; ".join(told.reasons(row, place_of))),
            )
        )
    return buffer.getvalue()


def _cell(text: str) -> str:
    """Return *text* for a cell that no spreadsheet takes for a formula."""
    shown = encodable(text)
    return f"'{shown}" if shown[:1] in {"=", "+", "-", "@", "\t", "\r"} else shown


def junit(report: FlowReport, place_of: words.PlaceOf) -> str:
    """Return *report* as JUnit XML: a case for each group that was let through; those that would be denied are failures."""
    rows = [r for r in report.rows if r.would_break or r.group.observed == "accepted"]
    failed = sum(r.would_break for r in rows)
    skipped = sum(r.group.verdict is Verdict.UNKNOWN for r in rows)
    counts = f'tests="{len(rows)}" failures="{failed}" errors="0" skipped="{skipped}"'
    body = [line for row in rows for line in _case(row, place_of)]
    return (
        "\n".join(
            [
                '<?xml version="1.0" encoding="UTF-8"?>',
                f'<testsuites name="eksnetpol policy flows" {counts} time="0">',
                f'  <testsuite name="observed flows" {counts} time="0">',
                *body,
                "  </testsuite>",
                "</testsuites>",
            ]
        )
        + "\n"
    )


def _case(row: Row, place_of: words.PlaceOf) -> Iterator[str]:
    opening = f'    <testcase classname="eksnetpol.policy.flows" name="{xml_attribute(told.way(row))}" time="0"'
    if row.group.verdict is Verdict.ALLOWED:
        yield f"{opening}/>"
        return
    reasons = list(told.reasons(row, place_of))
    yield f"{opening}>"
    if row.group.verdict is Verdict.DENIED:
        message = f"{told.seen(row.group)} would be denied"
        added = "".join(told.manifest(s) for s in row.suggestions)
        content = "\n".join([*reasons, *added.splitlines()])
        yield f'      <failure type="denied" message="{xml_attribute(message)}">{xml(content)}</failure>'
    else:
        yield f'      <skipped message="{xml_attribute("; ".join(reasons))}"/>'
    yield "    </testcase>"
