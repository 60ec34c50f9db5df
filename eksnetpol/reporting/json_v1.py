"""The JSON format, version 1: for programs, and for a later run to compare with.

These structs are the format and are kept apart from the values inside the tool, so that those may change while this does not.
Within v1 members are only ever added; readers ignore what they do not know, and take words such as ``outcome`` as open lists.
The output is ASCII: it says the same, and nothing in it acts on a terminal or a log that shows it.
"""

from __future__ import annotations

import json
from datetime import UTC
from typing import Annotated, Any, cast

import msgspec
from msgspec import Meta

from eksnetpol.errors import UnreadableInput
from eksnetpol.model import findings as model
from eksnetpol.model.findings import Baseline, Disposition, Outcome, Report, Severity
from eksnetpol.model.snapshot import Target
from eksnetpol.reporting import view
from eksnetpol.reporting.escape import encodable_all
from eksnetpol.reporting.options import Options

API_VERSION = "eksnetpol.io/v1"
KIND = "PreflightReport"


class _V1(msgspec.Struct, frozen=True, rename="camel"):
    """Part of the format; every member is always there."""


class ToolV1(_V1, frozen=True):
    """What made the report."""

    name: str
    version: str


class TargetV1(_V1, frozen=True):
    """Which cluster it is about; members that are not known are empty."""

    cluster: str
    region: str
    account: str
    arn: str
    server: str
    context: str


class SubjectV1(_V1, frozen=True):
    """What a finding is about. ``text`` is how people write it, e.g. ``networkpolicy/shop/allow-api``."""

    kind: str
    namespace: str
    name: str
    text: str


class OriginV1(_V1, frozen=True):
    """Where the object was read from; the first line is 1."""

    file: str
    line: Annotated[int, Meta(ge=1)]


class FindingV1(_V1, frozen=True):
    """One thing wrong. ``fingerprint`` stays the same between runs; ``reason`` says why it does not count."""

    subject: SubjectV1
    message: str
    remedy: str
    command: str
    evidence: tuple[str, ...]
    severity: Annotated[str, Meta(examples=[s.value for s in Severity])]
    fingerprint: Annotated[str, Meta(pattern="^[0-9a-f]+$")]
    disposition: Annotated[str, Meta(examples=[d.value for d in Disposition])]
    reason: str
    origin: OriginV1 | None


class UnknownV1(_V1, frozen=True):
    """One thing that could not be determined."""

    subject: SubjectV1
    reason: str


class ResultV1(_V1, frozen=True):
    """How one check ended."""

    id: str
    family: str
    title: str
    severity: Annotated[str, Meta(examples=[s.value for s in Severity])]
    outcome: Annotated[str, Meta(examples=[o.value for o in Outcome])]
    ignored: bool
    reason: str
    findings: tuple[FindingV1, ...]
    unknowns: tuple[UnknownV1, ...]
    evidence: tuple[str, ...]
    docs: str


class ChecksV1(_V1, frozen=True):
    """How many checks ended in which way."""

    failed: int
    errored: int
    unknown: int
    passed: int
    skipped: int


class FindingsV1(_V1, frozen=True):
    """How many findings count, by severity, and how many do not, by why."""

    blocker: int
    warning: int
    advice: int
    waived: int
    ignored: int
    baseline: int


class SummaryV1(_V1, frozen=True):
    """The counts, and the verdict as a sentence."""

    text: str
    checks: ChecksV1
    findings: FindingsV1


class UnreadV1(_V1, frozen=True):
    """A section of the look that was not read; ``permission`` names what was missing where that is why."""

    section: str
    why: str
    reason: str
    permission: str


class ReportV1(_V1, frozen=True):
    """The report of one preflight."""

    api_version: Annotated[str, Meta(pattern="^eksnetpol\\.io/v1$")]
    kind: Annotated[str, Meta(pattern="^PreflightReport$")]
    tool: ToolV1
    target: TargetV1
    source: Annotated[str, Meta(examples=["live", "manifests", "simulation"])]
    looked_at: Annotated[str, Meta(description="UTC, RFC 3339", pattern="^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d")]
    intent: Annotated[str, Meta(examples=[*(i.value for i in model.Intent), "lint"])]
    verdict: Annotated[str, Meta(examples=[v.value for v in model.Verdict])]
    exit_code: int
    summary: SummaryV1
    results: tuple[ResultV1, ...]
    unread: tuple[UnreadV1, ...]
    notes: tuple[str, ...]


class _FormerFinding(msgspec.Struct, frozen=True):
    fingerprint: str
    disposition: str


class _FormerResult(msgspec.Struct, frozen=True):
    findings: tuple[_FormerFinding, ...]


class _Former(msgspec.Struct, frozen=True, rename="camel"):
    """As much of a report as a baseline needs, so that a later v1 can be read."""

    api_version: str
    kind: str
    results: tuple[_FormerResult, ...]
    target: Target = Target()


def write(report: Report, _options: Options) -> str:
    """Return *report* as JSON, its keys sorted."""
    text = json.dumps(document(report), indent=2, sort_keys=True)
    # The same string to a JSON reader, but no workflow command to a CI runner.
    return text.replace("##[", "#\\u0023[") + "\n"


def document(report: Report) -> dict[str, Any]:
    """Return *report* as plain dicts and lists, in the format's own names."""
    return cast("dict[str, Any]", encodable_all(msgspec.to_builtins(_report(report))))


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of this format."""
    made = msgspec.json.schema(ReportV1)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:eksnetpol:preflight-report:v1",
        "title": f"{KIND} {API_VERSION}",
        **made,
    }


def read_baseline(data: bytes, place: str) -> Baseline:
    """Return what the report in *data* had found; *place* is its file, for messages.

    Findings that were waived or ignored then are not part of it: when their waiver ends, they are to be seen again. Raises
    `UnreadableInput` when *data* is no report of this format.
    """
    wanted = f"expected a report written by `eksnetpol preflight -o json` ({API_VERSION} {KIND})"
    try:
        former = msgspec.json.decode(data, type=_Former)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableInput(place, f"{wanted}; {error}") from error
    if (former.api_version, former.kind) != (API_VERSION, KIND):
        raise UnreadableInput(place, f"{wanted}, got {former.api_version} {former.kind}")
    counted = {Disposition.OPEN.value, Disposition.BASELINE.value}
    marks = (f.fingerprint for r in former.results for f in r.findings if f.disposition in counted)
    return Baseline(frozenset(marks), former.target)


def _report(report: Report) -> ReportV1:
    target = report.target
    return ReportV1(
        api_version=API_VERSION,
        kind=KIND,
        tool=ToolV1("eksnetpol", report.tool_version),
        target=TargetV1(target.cluster, target.region, target.account, target.arn, target.server, target.context),
        source=report.source.value,
        looked_at=report.looked_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        intent=report.question,
        verdict=report.verdict.value,
        exit_code=report.exit_code,
        summary=_summary(report),
        results=tuple(_result(result) for result in report.results),
        unread=tuple(UnreadV1(u.name, u.unread.why.value, u.unread.reason, u.unread.permission) for u in report.unread),
        notes=report.notes,
    )


def _summary(report: Report) -> SummaryV1:
    outcomes = [result.outcome for result in report.results]
    away = [f.disposition for result in report.results for f in result.findings]
    found = view.severities(report)
    return SummaryV1(
        text=f"{view.sentence(report)}: {view.counts(report)}",
        checks=ChecksV1(**{outcome.value: outcomes.count(outcome) for outcome in Outcome}),
        findings=FindingsV1(
            blocker=found[Severity.BLOCKER],
            warning=found[Severity.WARNING],
            advice=found[Severity.ADVICE],
            waived=away.count(Disposition.WAIVED),
            ignored=away.count(Disposition.IGNORED),
            baseline=away.count(Disposition.BASELINE),
        ),
    )


def _result(result: model.CheckResult) -> ResultV1:
    return ResultV1(
        id=result.id,
        family=result.family,
        title=result.title,
        severity=result.severity.value,
        outcome=result.outcome.value,
        ignored=result.ignored,
        reason=result.reason,
        findings=tuple(_finding(judged) for judged in result.findings),
        unknowns=tuple(UnknownV1(_subject(u.subject), u.reason) for u in result.unknowns),
        evidence=result.evidence,
        docs=result.docs,
    )


def _finding(judged: model.JudgedFinding) -> FindingV1:
    found, origin = judged.finding, judged.origin
    return FindingV1(
        subject=_subject(found.subject),
        message=found.message,
        remedy=found.remedy,
        command=found.command,
        evidence=found.evidence,
        severity=judged.severity.value,
        fingerprint=judged.fingerprint,
        disposition=judged.disposition.value,
        reason=judged.reason,
        origin=OriginV1(origin.file, origin.line) if origin else None,
    )


def _subject(subject: model.Subject) -> SubjectV1:
    return SubjectV1(subject.kind, subject.namespace, subject.name, str(subject))
