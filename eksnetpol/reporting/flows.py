"""What a replay of flows comes to, for people: text, Markdown and the policies to add."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.model.flows import Observed
from eksnetpol.policy.flow_report import FlowReport, Row
from eksnetpol.policy.flow_verdicts import Verdict
from eksnetpol.reporting import flow_words as told
from eksnetpol.reporting import policy_words as words
from eksnetpol.reporting.escape import markdown, markdown_block, markdown_code

_SHOWN = 20
_TABLED = 100
_NOT_THROUGH = (Observed.REFUSED, Observed.UNANSWERED)
_SECTIONS: tuple[tuple[str, Verdict, tuple[Observed, ...]], ...] = (
    ("Not known", Verdict.UNKNOWN, (Observed.ACCEPTED,)),
    ("Allowed", Verdict.ALLOWED, (Observed.ACCEPTED,)),
    ("Not let through when it was observed, and denied", Verdict.DENIED, _NOT_THROUGH),
    ("Not let through when it was observed, though policies allow it", Verdict.ALLOWED, _NOT_THROUGH),
    ("Not let through when it was observed, and not known", Verdict.UNKNOWN, _NOT_THROUGH),
)


def text(report: FlowReport, place_of: words.PlaceOf, width: int, *, color: bool, verbose: bool = False) -> str:
    """Return *report* for a terminal of *width* columns, ASCII alone without *color*; *verbose* shows every group."""
    limit = len(report.rows) if verbose else _SHOWN
    shown = words.lines(_parts(report, place_of, limit, verbose=verbose), width, ascii_only=not color)
    added = manifests(report)
    return f"{shown}\nTo add, so that nothing observed is denied:\n{added}" if added else shown


def manifests(report: FlowReport) -> str:
    """Return the policies that would allow what would be denied, as YAML; empty where there is nothing to add."""
    return "".join(told.manifest(s) for s in report.policies)


def _parts(report: FlowReport, place_of: words.PlaceOf, limit: int, *, verbose: bool) -> Iterator[tuple[int, str]]:
    yield 0, told.sentence(report)
    breaking = report.breaking
    if breaking:
        yield 0, ""
        yield 0, "Would be denied:"
        for row in breaking[:limit]:
            yield from _row(row, place_of)
        yield from _more(breaking, limit)
    for title, verdict, observed in _SECTIONS:
        rows = report.of(verdict, *observed)
        if not rows:
            continue
        flows = sum(r.group.flows for r in rows)
        yield 0, ""
        yield 0, f"{title}: {told.counted(flows, 'flow')} in {told.counted(len(rows), 'group')}"
        if verdict is Verdict.ALLOWED and not verbose:
            cautioned = [r for r in rows if r.cautions]
            for row in cautioned[:limit]:
                yield from _row(row, place_of)
            continue
        for row in rows[:limit]:
            yield from _row(row, place_of)
        yield from _more(rows, limit)
    yield 0, ""
    for line in told.circumstances(report):
        yield 0, f"note: {line}"


def _row(row: Row, place_of: words.PlaceOf) -> Iterator[tuple[int, str]]:
    yield 2, f"{told.way(row)}: {told.seen(row.group)}"
    for reason in told.reasons(row, place_of):
        yield 4, reason


def _more(rows: tuple[Row, ...], limit: int) -> Iterator[tuple[int, str]]:
    if len(rows) > limit:
        yield 2, f"and {len(rows) - limit:,} more; -v or -o json has all"


def page(report: FlowReport, place_of: words.PlaceOf) -> str:
    """Return *report* as Markdown, for a pull request or a job's summary."""
    blocks = [f"### {'🛑' if report.breaking else '✅'} {markdown(told.sentence(report))}"]
    if report.breaking:
        blocks.append("\n".join(_table(report.breaking, place_of)))
        added = manifests(report)
        if added:
            blocks.append(f"<details><summary>Policies to add</summary>\n\n{markdown_block(added, 'yaml')}\n\n</details>")
    for title, verdict, observed in _SECTIONS:
        rows = report.of(verdict, *observed)
        if rows:
            flows = sum(r.group.flows for r in rows)
            head = f"{title}: {told.counted(flows, 'flow')} in {told.counted(len(rows), 'group')}"
            table = "\n".join(_table(rows, place_of))
            blocks.append(f"<details><summary>{markdown(head)}</summary>\n\n{table}\n\n</details>")
    blocks.append("\n".join(f"- {markdown(line)}" for line in told.circumstances(report)))
    return "\n\n".join(blocks) + "\n"


def _table(rows: tuple[Row, ...], place_of: words.PlaceOf) -> Iterator[str]:
    yield "| from | to | port | flows | why |"
    yield "|---|---|---|---|---|"
    for row in rows[:_TABLED]:
        ends = (markdown_code(row.source, cell=True), markdown_code(row.destination, cell=True))
        why = "<br>".join(markdown(reason) for reason in told.reasons(row, place_of))
        yield f"| {ends[0]} | {ends[1]} | {markdown(told.port(row.group))} | {markdown(told.seen(row.group))} | {why} |"
    if len(rows) > _TABLED:
        yield f"\n{len(rows) - _TABLED:,} more rows are left out; `-o json` has all."
