"""GitHub workflow annotations: one command per finding, worst first, because GitHub shows only the first few of each kind.

https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.model.findings import CheckResult, JudgedFinding, Report, Severity, Verdict
from eksnetpol.reporting import view
from eksnetpol.reporting.escape import annotation, annotation_property
from eksnetpol.reporting.options import Options

_LEVELS = {Severity.BLOCKER: "error", Severity.WARNING: "warning", Severity.ADVICE: "notice"}
_FINDINGS_SHOWN = 10


def write(report: Report, options: Options) -> str:
    """Return *report* as workflow commands, one a line; the last one is the verdict."""
    lines = [line for result in view.failed(report) for line in _findings(result, verbose=options.verbose)]
    lines += [_command("error", result.reason, title=f"{result.id} broke") for result in view.errored(report)]
    beyond = set(view.needs_the_cluster(report))
    for gap in view.gaps(report):
        if beyond.issuperset(gap.checks):
            # A pipeline that gives files would be told so at every run.
            continue
        open_ = ", ".join(check.id for check in gap.checks)
        ask = f"\n{gap.ask}" if gap.ask else ""
        title = f"could not be determined: {open_}"
        lines.append(_command("warning", f"{gap.reason}{ask}", title=title))
    lines += [_command("notice", note, title="eksnetpol") for note in report.notes]
    level = "error" if report.verdict is Verdict.BLOCKED else "notice"
    asked = "migrate" if any(result.family == "migration" for result in report.results) else "preflight"
    lines.append(_command(level, f"{view.sentence(report)}: {view.counts(report)}", title=f"eksnetpol {asked}"))
    return "\n".join(lines) + "\n"


def _findings(result: CheckResult, *, verbose: bool) -> Iterator[str]:
    found = result.open_findings
    shown = found if verbose else found[:_FINDINGS_SHOWN]
    for judged in shown:
        yield _finding(result, judged)
    if len(found) > len(shown):
        more = f"+{len(found) - len(shown)} more; -o json shows all"
        yield _command("notice", more, title=f"{result.id}: {result.title}")


def _finding(result: CheckResult, judged: JudgedFinding) -> str:
    said = judged.finding
    parts = [f"{said.subject}: {said.message}", said.remedy, said.command, result.docs]
    where = {"file": judged.origin.file, "line": str(judged.origin.line)} if judged.origin else {}
    message = "\n".join(part for part in parts if part)
    return _command(_LEVELS[judged.severity], message, **where, title=f"{result.id}: {result.title}")


def _command(name: str, message: str, **properties: str) -> str:
    told = ",".join(f"{key}={annotation_property(value)}" for key, value in properties.items())
    return f"::{name} {told}::{annotation(message)}"
