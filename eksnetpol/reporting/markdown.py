"""For a pull request's comment or a job's summary: GitHub-flavoured Markdown, within what a comment may hold."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.model.findings import CheckResult, JudgedFinding, Report, Severity, Verdict
from eksnetpol.reporting import view
from eksnetpol.reporting.escape import markdown, markdown_block, markdown_code, one_line
from eksnetpol.reporting.options import Options

LONGEST = 60_000
"""Characters. GitHub refuses a comment of more than 65,536; some are left for those who put something around it."""

_LIMITS = (10, 3, 1)
_EVERYTHING = 10**9
_COMMANDS_SHOWN = 3
_SIGNS = {Severity.BLOCKER: "🛑", Severity.WARNING: "⚠️", Severity.ADVICE: "💡"}
_VERDICTS = {Verdict.READY: "✅ Ready", Verdict.BLOCKED: "🛑 Blocked", Verdict.UNDETERMINED: "❔ Undetermined"}


def write(report: Report, options: Options) -> str:
    """Return *report* as Markdown; the longer the lists of findings, the fewer of each are shown, unless it is verbose."""
    if options.verbose:
        return _page(report, _EVERYTHING)
    pages = (_page(report, limit) for limit in _LIMITS)
    shortest = ""
    for shortest in pages:
        if len(shortest) <= LONGEST:
            return shortest
    cut = shortest.rfind("\n### ", 0, LONGEST)
    return f"{shortest[: max(cut, 0)]}\n\n_The rest did not fit into a comment; `-o json` shows all._\n"


def _page(report: Report, limit: int) -> str:
    blocks = [
        f"## {_VERDICTS[report.verdict]}: {markdown(view.sentence(report))}",
        markdown(view.counts(report)[:1].upper() + view.counts(report)[1:] + "."),
        *(block for result in view.failed(report) for block in _failed(result, limit)),
        *_undetermined(report, limit),
        *_settled(report),
        *_passed(report),
        *(f"> {markdown(note)}" for note in report.notes),
        f"<sub>{markdown(view.circumstances(report))}</sub>",
    ]
    return "\n\n".join(blocks) + "\n"


def _failed(result: CheckResult, limit: int) -> Iterator[str]:
    worst = min((f.severity for f in result.open_findings), key=lambda s: s.rank)
    yield f"### {_SIGNS[worst]} {worst.value.capitalize()}: {markdown(result.title)}"
    for advice in view.advice(result, limit=limit, commands=_COMMANDS_SHOWN):
        rows = ["| object | what is wrong |", "| --- | --- |", *(_row(judged) for judged in advice.shown)]
        yield "\n".join(rows)
        if advice.more:
            yield f"(+{advice.more} more; `-o json` shows all)"
        if advice.remedy:
            yield f"**To do:** {markdown(advice.remedy)}"
        if advice.commands:
            yield markdown_block("\n".join(advice.commands))
    yield f"{markdown_code(result.id)}{_link(result.docs)}"


def _row(judged: JudgedFinding) -> str:
    found = judged.finding
    where = f" {markdown_code(f'{judged.origin.file}:{judged.origin.line}', cell=True)}" if judged.origin else ""
    seen = f" (seen: {markdown('; '.join(found.evidence))})" if found.evidence else ""
    return f"| {markdown_code(str(found.subject), cell=True)}{where} | {markdown(found.message)}{seen} |"


def _link(url: str) -> str:
    if not url.startswith("https://"):
        return ""
    safe = one_line(url).replace("<", "%3C").replace(">", "%3E").replace("\\", "%5C").replace("|", "%7C")
    return f" · [read more](<{safe}>)"


def _undetermined(report: Report, limit: int) -> Iterator[str]:
    gaps = view.gaps(report)
    broken = view.errored(report)
    if broken:
        yield "### 🐞 Broke in eksnetpol itself"
        yield "\n".join(f"- {markdown_code(r.id)}: {markdown(r.reason)}" for r in broken)
    if not gaps:
        return
    yield "### ❔ Could not be determined"
    rows = ["| what is missing | how to get it | leaves open |", "| --- | --- | --- |"]
    for gap in gaps:
        subjects = [markdown_code(str(s), cell=True) for s in gap.subjects[:limit]]
        more = f" (+{len(gap.subjects) - len(subjects)} more)" if len(gap.subjects) > len(subjects) else ""
        of = f" ({', '.join(subjects)}{more})" if subjects else ""
        checks = ", ".join(markdown_code(c.id, cell=True) for c in gap.checks[:limit])
        checks += f" (+{len(gap.checks) - limit} more)" if len(gap.checks) > limit else ""
        rows.append(f"| {markdown(gap.reason)}{of} | {markdown(gap.ask)} | {checks} |")
    yield "\n".join(rows)


def _settled(report: Report) -> Iterator[str]:
    settled = view.settled(report)
    if not settled:
        return
    lines = [
        f"- {markdown_code(item.check.id)}: {len(item.findings)} {item.disposition.value}, {markdown(item.reason)}"
        for item in settled
    ]
    yield _folded("Set aside", "\n".join(lines))


def _passed(report: Report) -> Iterator[str]:
    families = view.passed(report)
    if families:
        lines = [
            f"- **{markdown(f.name.replace('_', ' '))}**: {', '.join(markdown_code(c.id) for c in f.checks)}" for f in families
        ]
        yield _folded(f"{sum(len(f.checks) for f in families)} passed", "\n".join(lines))
    skipped = view.skipped(report)
    if skipped:
        lines = [f"- {markdown_code(r.id)}: {markdown(r.reason)}" for r in skipped]
        yield _folded(f"{len(skipped)} skipped", "\n".join(lines))


def _folded(summary: str, body: str) -> str:
    return f"<details><summary>{summary}</summary>\n\n{body}\n\n</details>"
