"""A report as people read it: the sentence, the counts, what to do, and what would tell the unknown.

Shared by the formats that people read (text, Markdown, HTML). Nothing here is escaped: that is each format's own duty.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC

from eksnetpol.checks.run import ONLY_FILES
from eksnetpol.model.findings import (
    CheckResult,
    Disposition,
    Intent,
    JudgedFinding,
    Outcome,
    Report,
    Severity,
    Subject,
    Verdict,
)
from eksnetpol.model.snapshot import SourceKind, Unread, UnreadSection, Why

_CAN = {
    Intent.ENABLE: "can enable network policy",
    Intent.UPGRADE: "can upgrade the VPC CNI",
    Intent.DISABLE: "can disable network policy",
    Intent.MIGRATE: "can migrate to network policy by the VPC CNI",
    Intent.VERIFY: "has left its other engine, and the VPC CNI enforces",
}
_CANNOT = {
    Intent.ENABLE: "cannot enable network policy yet",
    Intent.UPGRADE: "cannot upgrade the VPC CNI yet",
    Intent.DISABLE: "cannot disable network policy yet",
    Intent.MIGRATE: "cannot migrate to network policy by the VPC CNI yet",
    Intent.VERIFY: "has not wholly left its other engine",
}


@dataclass(frozen=True, slots=True)
class Advice:
    """Findings of one check that ask for the same thing; ``more`` and ``more_commands`` count what is folded away."""

    remedy: str
    shown: tuple[JudgedFinding, ...]
    commands: tuple[str, ...]
    more: int
    more_commands: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Checks that could not tell for one and the same reason. ``ask`` says how to get what is missing."""

    reason: str
    ask: str
    checks: tuple[CheckResult, ...]
    subjects: tuple[Subject, ...]


@dataclass(frozen=True, slots=True)
class Settled:
    """Findings of one check that do not count, for one reason."""

    check: CheckResult
    disposition: Disposition
    reason: str
    findings: tuple[JudgedFinding, ...]


@dataclass(frozen=True, slots=True)
class Family:
    """The checks of one family that passed."""

    name: str
    checks: tuple[CheckResult, ...]


def plural(count: int, one: str, many: str = "") -> str:
    """Return ``1 check``, ``2 checks``."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def failed(report: Report) -> tuple[CheckResult, ...]:
    """Checks with findings that count."""
    return tuple(r for r in report.results if r.outcome is Outcome.FAILED and r.open_findings)


def errored(report: Report) -> tuple[CheckResult, ...]:
    """Checks that broke; a bug of ours each."""
    return _with(report, Outcome.ERRORED)


def undetermined(report: Report) -> tuple[CheckResult, ...]:
    """Checks that could not tell, or not of everything, and count."""
    return tuple(r for r in report.results if r.is_undetermined and r.outcome is not Outcome.ERRORED)


def skipped(report: Report) -> tuple[CheckResult, ...]:
    """Checks that were not asked, or whose question does not arise."""
    return _with(report, Outcome.SKIPPED)


def passed(report: Report) -> tuple[Family, ...]:
    """Checks that passed, by family."""
    families: dict[str, list[CheckResult]] = defaultdict(list)
    for result in _with(report, Outcome.PASSED):
        families[result.family].append(result)
    return tuple(Family(name, tuple(checks)) for name, checks in sorted(families.items()))


def settled(report: Report) -> tuple[Settled, ...]:
    """Findings that are waived, ignored or in the baseline, by check and reason; and ignored checks that could not tell."""
    groups: dict[tuple[str, Disposition, str], list[JudgedFinding]] = defaultdict(list)
    for result in report.results:
        for judged in result.findings:
            if judged.disposition is not Disposition.OPEN:
                groups[result.id, judged.disposition, judged.reason].append(judged)
        if result.ignored and result.outcome in {Outcome.UNKNOWN, Outcome.ERRORED}:
            groups[result.id, Disposition.IGNORED, f"{result.outcome.value}: {result.reason}"] = []
    by_id = {result.id: result for result in report.results}
    return tuple(Settled(by_id[i], d, reason, tuple(f)) for (i, d, reason), f in groups.items())


def severities(report: Report) -> dict[Severity, int]:
    """How many findings count, by severity."""
    found = [f.severity for r in report.results for f in r.open_findings]
    return {severity: found.count(severity) for severity in Severity}


def title(report: Report) -> str:
    """Return what was looked at, e.g. ``prod (eu-west-1, 123456789012)``."""
    where = ", ".join(part for part in (report.target.region, report.target.account) if part)
    return f"{report.target.title} ({where})" if where else report.target.title


def circumstances(report: Report) -> str:
    """Return what was looked at, how and when, and by which release of this tool."""
    source = "" if report.target.title == report.source.value else f", {report.source.value}"
    when = report.looked_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"{title(report)}{source}, looked at {when}, eksnetpol {report.tool_version}"


def is_from_files(report: Report) -> bool:
    """True when nothing but files was looked at."""
    return report.source is SourceKind.MANIFESTS and not (report.target.cluster or report.target.context)


def needs_the_cluster(report: Report) -> tuple[CheckResult, ...]:
    """Checks that no file could have answered: they ask for what the given ones do not hold, or cannot."""
    if not is_from_files(report):
        return ()
    lacking = {u.unread.reason for u in report.unread if u.unread.why is Why.NOT_IN_FILES}
    return tuple(
        result
        for result in undetermined(report)
        if not result.open_findings
        and all(
            reason == ONLY_FILES or any(lack in reason for lack in lacking)
            for reason in ([u.reason for u in result.unknowns] or [result.reason])
        )
    )


def sentence(report: Report) -> str:
    """Return the verdict in one sentence, without its counts."""
    from_files = is_from_files(report)
    if report.is_lint:
        return _of_policies("these files" if from_files else report.target.title, report.verdict)
    name = "the cluster of these files" if from_files else report.target.title
    if from_files and report.verdict is Verdict.UNDETERMINED:
        return f"nothing in these files stands in the way; whether the cluster {_CAN[report.intent]}, files cannot tell"
    match report.verdict:
        case Verdict.READY:
            return f"{name} {_CAN[report.intent]}"
        case Verdict.BLOCKED:
            return f"{name} {_CANNOT[report.intent]}"
        case Verdict.UNDETERMINED:
            return f"whether {name} {_CAN[report.intent]} could not be determined"


def _of_policies(where: str, verdict: Verdict) -> str:
    match verdict:
        case Verdict.READY:
            return f"the policies of {where} are sound"
        case Verdict.BLOCKED:
            return f"policies of {where} are not sound"
        case Verdict.UNDETERMINED:
            return f"whether the policies of {where} are sound could not all be determined"


def counts(report: Report) -> str:
    """Return the counts, e.g. ``2 blockers, 1 warning; 3 checks undetermined; 41 passed, 4 skipped``."""
    found = severities(report)
    words = [
        plural(found[Severity.BLOCKER], "blocker"),
        plural(found[Severity.WARNING], "warning"),
        f"{found[Severity.ADVICE]} advice",
    ]
    told = [w for w in words if not w.startswith("0 ")]
    parts = [", ".join(told) if told else "no findings"]
    if errored(report):
        parts.append(f"{plural(len(errored(report)), 'check')} broke")
    beyond = len(needs_the_cluster(report))
    if beyond:
        parts.append(f"{plural(beyond, 'check needs', 'checks need')} the cluster")
    if len(undetermined(report)) > beyond:
        parts.append(f"{plural(len(undetermined(report)) - beyond, 'check')} undetermined")
    quiet = sum(len(s.findings) for s in settled(report))
    last = [f"{sum(len(f.checks) for f in passed(report))} passed", f"{len(skipped(report))} skipped"]
    if quiet:
        last.append(f"{plural(quiet, 'finding')} set aside")
    parts.append(", ".join(word for word in last if not word.startswith("0 ")))
    return "; ".join(part for part in parts if part)


def advice(result: CheckResult, *, limit: int, commands: int) -> tuple[Advice, ...]:
    """Return the open findings of *result* by what they ask for: at most *limit* findings and *commands* commands each."""
    groups: dict[str, list[JudgedFinding]] = defaultdict(list)
    for judged in result.open_findings:
        groups[judged.finding.remedy].append(judged)
    made = []
    for remedy, found in groups.items():
        distinct = tuple(dict.fromkeys(f.finding.command for f in found if f.finding.command))
        shown, kept = tuple(found[:limit]), distinct[:commands]
        made.append(Advice(remedy, shown, kept, len(found) - len(shown), len(distinct) - len(kept)))
    return tuple(made)


def gaps(report: Report) -> tuple[Gap, ...]:
    """Return what could not be told, by reason: each missing thing once, with all the checks it leaves open."""
    unread = {section.unread.reason: section for section in report.unread}
    checks: dict[str, dict[str, CheckResult]] = defaultdict(dict)
    subjects: dict[str, dict[Subject, None]] = defaultdict(dict)
    beyond = needs_the_cluster(report)
    ids = {result.id for result in beyond}
    for result in undetermined(report):
        if result.id in ids:
            continue
        for unknown in result.unknowns:
            checks[unknown.reason][result.id] = result
            subjects[unknown.reason][unknown.subject] = None
        if not result.unknowns:
            checks[result.reason][result.id] = result
    told = tuple(
        Gap(reason, how_to_get(unread.get(reason)), tuple(found.values()), tuple(subjects[reason]))
        for reason, found in checks.items()
    )
    if not beyond:
        return told
    return (*told, Gap("questions about a whole cluster, which these files cannot answer", _how_files(), beyond, ()))


def _how_files() -> str:
    return "run this against the cluster, or on a snapshot of it"


def how_to_get(section: UnreadSection | None) -> str:
    """Return what to do about a section that was not read; empty where only the reason itself can tell."""
    return "" if section is None else _how(section.unread)


def _how(unread: Unread) -> str:
    match unread.why:
        case Why.DENIED:
            what = unread.permission or "the permission named above"
            return f"grant {what} (eksnetpol permissions show preflight prints all that is needed)"
        case Why.UNREACHABLE:
            return "make it reachable from here and run this again"
        case Why.NOT_ASKED:
            return "run this against the cluster, or take a new snapshot"
        case Why.NOT_IN_FILES:
            return "run this against the cluster; files cannot tell"
        case Why.UNREADABLE | Why.ABSENT:
            return "repair what cannot be read and run this again"


def _with(report: Report, outcome: Outcome) -> tuple[CheckResult, ...]:
    found: Iterable[CheckResult] = (r for r in report.results if r.outcome is outcome and not r.ignored)
    if outcome in {Outcome.PASSED, Outcome.SKIPPED}:
        found = (r for r in report.results if r.outcome is outcome)
    return tuple(found)
