"""Words that all reports on observed flows share."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import yaml

from eksnetpol.model.flows import FileReport, Observed, Settled
from eksnetpol.policy.flow_groups import Group
from eksnetpol.policy.flow_report import FlowReport, Row
from eksnetpol.policy.flow_verdicts import Verdict
from eksnetpol.policy.questions import settling
from eksnetpol.policy.suggest import Suggestion
from eksnetpol.reporting import policy_words as words
from eksnetpol.reporting.escape import visible

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_STEP = 1024

HOWS = {
    Settled.TOLD: "the log says it",
    Settled.FLAGS: "by TCP flags",
    Settled.KNOWN_PORT: "by a port that is known to be served",
    Settled.LOW_PORT: "by the lower range of ports",
    Settled.GUESSED: "guessed",
}
"""How it was settled which side is the server, in words."""


def counted(number: int, word: str) -> str:
    """Return a number of things: ``1 flow``, ``2,000 flows``."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def sized(octets: int) -> str:
    """Return bytes as people read them."""
    amount, unit = float(octets), 0
    while amount >= _STEP and unit < len(_UNITS) - 1:
        amount, unit = amount / _STEP, unit + 1
    return f"{amount:.0f} B" if not unit else f"{amount:.1f} {_UNITS[unit]}"


def moment(second: int | None) -> str:
    """Return a time as RFC 3339, empty where it is not known or beyond the calendar."""
    if not second:
        return ""
    try:
        return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return ""


def port(group: Group) -> str:
    """Return what a group went to: ``TCP 8080``, ``ICMP``."""
    if group.protocol.startswith("ICMP"):
        return group.protocol
    if group.protocol == "OTHER":
        return f"IP protocol {group.number}"
    return f"{group.protocol} {group.number or '(several ports)'}"


def way(row: Row) -> str:
    """Return who sent what to whom, in one line."""
    group = row.group
    through = f" through {group.asked[0].title} port {group.asked[1]}" if group.asked else ""
    return f"{row.source} -> {row.destination} {port(group)}{through}"


def seen(group: Group) -> str:
    """Return how often and when, in one line."""
    parts = [counted(group.flows, "flow")]
    if group.replies:
        parts[0] += f" ({group.replies:,} of them replies)"
    if group.size:
        parts.append(sized(group.size))
    first, last = moment(group.first), moment(group.last)
    if last:
        parts.append(f"{first} to {last}" if first and first != last else last)
    return ", ".join(parts)


def reasons(row: Row, place_of: words.PlaceOf) -> Iterator[str]:
    """Yield what denied a group, or why its verdict is not known, and what that depends on."""
    group = row.group
    if group.judgement.reason:
        yield group.judgement.reason
    for side in group.judgement.sides:
        if not side.allowed:
            said = "; ".join(words.said(d, place_of) for d in settling(side))
            yield f"{side.direction.lower()} denied{': ' if said else ''}{said}"
    yield from (f"note: {caution}" for caution in row.cautions)


def sentence(report: FlowReport) -> str:
    """Return the answer in one sentence."""
    breaking = report.breaking
    judged = sum(r.group.flows for r in report.rows)
    if breaking:
        flows = sum(r.group.flows for r in breaking)
        return f"{flows:,} of {counted(judged, 'flow')} would be denied, in {counted(len(breaking), 'group')}."
    if not judged:
        return "No flow to or from a pod was found."
    unknown = sum(r.group.flows for r in report.of(Verdict.UNKNOWN, *Observed))
    beside = f"; of {unknown:,} it is not known" if unknown else ""
    return f"None of {counted(judged, 'flow')} would be denied{beside}."


def circumstances(report: FlowReport) -> Iterator[str]:
    """Yield what was read and what was not, and how the servers were found."""
    for file in report.files:
        yield f"{file.name}: {counted(file.lines, 'line')} in the format {file.format}{_faults(file)}"
        for example in file.examples:
            yield f"{file.name}{f':{example.line}' if example.line else ''}: {example.reason}"
        yield from (f"{file.name} {note}" for note in file.notes)
    if report.unasked:
        yield f"{counted(report.unasked, 'flow')} between others than pods, which no policy is about"
    for why, count in report.aside.items():
        yield f"{counted(count, 'record')} {why}"
    total = sum(report.settled.values())
    if set(report.settled) - {Settled.TOLD}:
        hows = ", ".join(f"{HOWS[how]} {_share(count, total)}" for how, count in sorted(report.settled.items()))
        yield f"which side is the server: {hows}"
    yield from report.notes


def _faults(file: FileReport) -> str:
    return f", {counted(file.malformed, 'line')} malformed" if file.malformed else ""


def _share(count: int, total: int) -> str:
    percent = 100 * count / total if total else 0
    return f"{percent:.1f} %" if count < total else "100 %"


def manifest(suggestion: Suggestion) -> str:
    """Return a suggestion as a document of YAML, with its reasons as comments."""
    comments = "".join(f"# {visible(line)}\n" for line in suggestion.words.splitlines())
    if not suggestion.policy:
        return f"---\n{comments}"
    into = f"# its rules would also do in {visible(str(suggestion.into))}\n" if suggestion.into else ""
    body: Any = yaml.safe_dump(dict(suggestion.policy), sort_keys=False, width=120)
    return f"---\n{comments}{into}{body}"
