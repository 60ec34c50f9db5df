"""Answers -> report: configuration, waivers and baseline have their say, and one verdict and one exit code come out.

A finding that is ignored, waived or in the baseline is shown and does not count. What could not be determined is never settled
by a waiver or a baseline; only ignoring the whole check takes it out of the count.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator

from eksnetpol import __version__
from eksnetpol.checks.choose import is_ignored
from eksnetpol.checks.run import Answer
from eksnetpol.checks.waivers import Waivers, gather
from eksnetpol.model.findings import (
    Baseline,
    CheckResult,
    Disposition,
    Finding,
    Intent,
    JudgedFinding,
    Outcome,
    Report,
    Severity,
    Subject,
    Verdict,
)
from eksnetpol.model.settings import Settings
from eksnetpol.model.snapshot import ClusterSnapshot, SourceKind, unread_sections

FOUND, UNDETERMINED, BROKEN = 1, 3, 70

_OUTCOMES = tuple(Outcome)
_DISPOSITIONS = tuple(Disposition)


def judge(
    answers: Iterable[Answer],
    settings: Settings,
    snapshot: ClusterSnapshot,
    *,
    intent: Intent = Intent.ENABLE,
    baseline: Baseline | None = None,
    known: Collection[str] = (),
    is_lint: bool = False,
) -> Report:
    """Return the report that *answers*, the skipped ones of `choose` included, amount to.

    *settings* are taken as valid (`choose.validate`); *known* are ids of checks that there are besides those that answered.
    Waivers expire as of the day *snapshot* was taken, so that a snapshot replays to the same report. The result is in one order
    whatever the order of *answers*: worst first, then by name.
    """
    answers = tuple(answers)
    waivers = gather(settings, snapshot, {*known, *(answer.check.id for answer in answers)})
    results = sorted((_result(a, settings, snapshot, waivers, baseline) for a in answers), key=_result_order)
    return Report(
        tool_version=__version__,
        intent=intent,
        is_lint=is_lint,
        source=snapshot.source,
        target=snapshot.target,
        looked_at=snapshot.taken_at,
        verdict=_verdict(results),
        results=tuple(results),
        unread=unread_sections(snapshot),
        notes=tuple(_notes(results, settings, snapshot, waivers, baseline)),
        exit_code=_exit_code(results, settings, snapshot.source),
    )


def fingerprint(check: str, subject: Subject, ordinal: int = 0) -> str:
    """Return what stays the same between runs: who says it of whom, not in which words.

    *ordinal* counts further findings of the same check about the same subject, so that a second one is new to a baseline
    that knows only the first.
    """
    parts = [check, subject.kind.lower(), subject.namespace, subject.name]
    if ordinal:
        parts.append(str(ordinal))
    return hashlib.sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest()[:32]


def _result(
    answer: Answer, settings: Settings, snapshot: ClusterSnapshot, waivers: Waivers, baseline: Baseline | None
) -> CheckResult:
    check = answer.check
    ignored = is_ignored(check, settings)
    override = settings.severity.get(check.id)
    judged = []
    seen: Counter[Subject] = Counter()
    for finding in sorted(answer.findings, key=lambda f: (f.subject, f.message, f.remedy, f.command)):
        mark = fingerprint(check.id, finding.subject, seen[finding.subject])
        seen[finding.subject] += 1
        disposition, reason = _disposition(check.id, finding, mark, ignored, waivers, baseline)
        severity = override or finding.severity or check.severity
        origin = snapshot.origins.get(str(finding.subject))
        judged.append(JudgedFinding(finding, severity, mark, disposition, reason, origin))
    return CheckResult(
        id=check.id,
        family=check.family,
        title=check.title,
        severity=override or check.severity,
        outcome=answer.outcome,
        reason=answer.reason,
        findings=tuple(sorted(judged, key=_finding_order)),
        unknowns=tuple(sorted(answer.unknowns, key=lambda u: (u.subject, u.reason))),
        evidence=answer.evidence,
        docs=check.docs,
        rationale=check.rationale,
        ignored=ignored,
    )


def _disposition(
    check: str, finding: Finding, mark: str, ignored: bool, waivers: Waivers, baseline: Baseline | None
) -> tuple[Disposition, str]:
    # The waiver is asked first, whatever comes of it: a waiver that meets an ignored finding is in use.
    waived = waivers.reason(check, str(finding.subject))
    if ignored:
        return Disposition.IGNORED, "the configuration ignores this check"
    if waived:
        return Disposition.WAIVED, waived
    if baseline and mark in baseline.fingerprints:
        return Disposition.BASELINE, "already in the baseline"
    return Disposition.OPEN, ""


def _result_order(result: CheckResult) -> tuple[int, int, int, str, str]:
    worst = min((f.severity.rank for f in result.open_findings), default=result.severity.rank)
    settled = result.outcome is Outcome.FAILED and not result.open_findings
    return _OUTCOMES.index(result.outcome), int(settled), worst, result.family, result.id


def _finding_order(judged: JudgedFinding) -> tuple[int, int, Subject, str, str]:
    rank = _DISPOSITIONS.index(judged.disposition)
    return rank, judged.severity.rank, judged.finding.subject, judged.finding.message, judged.fingerprint


def _verdict(results: Iterable[CheckResult]) -> Verdict:
    results = tuple(results)
    if any(f.severity is Severity.BLOCKER for r in results for f in r.open_findings):
        return Verdict.BLOCKED
    if any(r.is_undetermined and r.severity is Severity.BLOCKER for r in results):
        return Verdict.UNDETERMINED
    return Verdict.READY


def _exit_code(results: Iterable[CheckResult], settings: Settings, source: SourceKind) -> int:
    results = tuple(results)
    lenient = settings.exit_zero or settings.fail_on == "never"
    threshold = None if lenient else Severity(settings.fail_on).rank
    if threshold is not None and any(f.severity.rank <= threshold for r in results for f in r.open_findings):
        return FOUND
    if any(r.outcome is Outcome.ERRORED and not r.ignored for r in results):
        return BROKEN
    # Files cannot know most of a cluster: failing on that would fail every pipeline that gives nothing but files.
    matters = source is not SourceKind.MANIFESTS if settings.fail_on_unknown is None else settings.fail_on_unknown
    if matters and threshold is not None and any(r.is_undetermined and r.severity.rank <= threshold for r in results):
        return UNDETERMINED
    return 0


def _notes(
    results: Iterable[CheckResult],
    settings: Settings,
    snapshot: ClusterSnapshot,
    waivers: Waivers,
    baseline: Baseline | None,
) -> Iterator[str]:
    results = tuple(results)
    asked = [r for r in results if r.outcome is not Outcome.SKIPPED]
    if settings.select or settings.skip:
        yield f"select and skip were in force: {len(asked)} of {len(results)} checks were asked"
    told = {r.id for r in asked if r.outcome in {Outcome.PASSED, Outcome.FAILED}}
    yield from sorted(waivers.notes(told, {r.id: [str(u.subject) for u in r.unknowns] for r in asked}))
    if baseline:
        then, now = (target.arn or target.cluster for target in (baseline.target, snapshot.target))
        if then != now:
            yield f"the baseline is of {then or 'files'}, this report of {now or 'files'}"
