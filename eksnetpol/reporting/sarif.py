"""SARIF 2.1.0, for code scanning.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html and
https://docs.github.com/code-security/reference/code-scanning/sarif-files/sarif-support. Code scanning shows an alert only at a
place in a file, so an object of a live cluster gets one that does not exist, beside its logical location.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC
from typing import Any
from urllib.parse import quote

from eksnetpol.model.findings import (
    CheckResult,
    Disposition,
    JudgedFinding,
    Outcome,
    Report,
    Severity,
    Subject,
)
from eksnetpol.model.snapshot import Origin
from eksnetpol.reporting import view
from eksnetpol.reporting.escape import encodable, visible
from eksnetpol.reporting.options import Options

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
HOME = "https://github.com/eksnetpol/eksnetpol"

_LEVELS = {Severity.BLOCKER: "error", Severity.WARNING: "warning", Severity.ADVICE: "note"}
Json = dict[str, Any]


def write(report: Report, _options: Options) -> str:
    """Return *report* as a SARIF log with one run."""
    text = json.dumps(log(report), indent=2, sort_keys=True)
    return text.replace("##[", "#\\u0023[") + "\n"


def log(report: Report) -> Json:
    """Return *report* as a SARIF log in plain dicts and lists. ``results`` is there even when there is none."""
    rules = sorted(report.results, key=lambda r: r.id)
    index = {result.id: number for number, result in enumerate(rules)}
    compared = any(f.disposition is Disposition.BASELINE for r in report.results for f in r.findings)
    results = [
        made for result in report.results for made in (*_findings(report, result, compared=compared), *_unknowns(report, result))
    ]
    run: Json = {
        "tool": {
            "driver": {
                "name": "eksnetpol",
                "version": report.tool_version,
                "semanticVersion": report.tool_version,
                "informationUri": HOME,
                "rules": [_rule(result) for result in rules],
            }
        },
        "automationDetails": {"id": f"eksnetpol/{_segment(report.target.title)}/{report.question}/"},
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(report)],
        "results": [{**result, "ruleIndex": index[result["ruleId"]]} for result in results],
        "properties": {"verdict": report.verdict.value, "intent": report.question, "cluster": report.target.title},
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [_safe(run)]}


def _rule(result: CheckResult) -> Json:
    text = result.rationale or result.title
    rule: Json = {
        "id": result.id,
        "name": "".join(part.capitalize() for part in result.id.split("-")),
        "shortDescription": {"text": result.title},
        "fullDescription": {"text": text},
        "help": {"text": f"{text}\n\nRead more: {result.docs}" if result.docs else text},
        "defaultConfiguration": {"level": _LEVELS[result.severity]},
        "properties": {"tags": [result.family, "kubernetes", "networkpolicy"], "severity": result.severity.value},
    }
    return rule | ({"helpUri": quote(result.docs, safe=":/?#[]@!$&'()*+,;=%-._~")} if result.docs else {})


def _invocation(report: Report) -> Json:
    broken = view.errored(report)
    notes = [{"level": "note", "message": {"text": note}} for note in report.notes]
    when = report.looked_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return {
        "executionSuccessful": not broken,
        "exitCode": report.exit_code,
        "startTimeUtc": when,
        "toolExecutionNotifications": [
            *({"level": "error", "message": {"text": r.reason}, "associatedRule": {"id": r.id}} for r in broken),
            *notes,
        ],
    }


def _findings(report: Report, result: CheckResult, *, compared: bool) -> Iterator[Json]:
    for judged in result.findings:
        said = judged.finding
        parts = [f"{said.subject}: {said.message}", said.remedy, said.command]
        made: Json = {
            "ruleId": result.id,
            "kind": "fail",
            "level": _LEVELS[judged.severity],
            "message": {"text": "\n".join(part for part in parts if part)},
            "locations": [_location(report, said.subject, judged.origin)],
            "partialFingerprints": {"eksnetpol/v1": _mark(report, judged)},
        }
        if said.evidence:
            made["properties"] = {"evidence": list(said.evidence)}
        if judged.disposition in {Disposition.WAIVED, Disposition.IGNORED}:
            made["suppressions"] = [{"kind": "external", "status": "accepted", "justification": judged.reason}]
        if compared:
            made["baselineState"] = "unchanged" if judged.disposition is Disposition.BASELINE else "new"
        yield made


def _unknowns(report: Report, result: CheckResult) -> Iterator[Json]:
    """Yield what could not be told. A result that is no failure has no level (section 3.27.10)."""
    if not result.is_undetermined or result.outcome is Outcome.ERRORED:
        return
    whole = Subject("cluster", report.target.title)
    open_ = [(unknown.subject, unknown.reason) for unknown in result.unknowns] or [(whole, result.reason)]
    for subject, reason in open_:
        mark = hashlib.sha256(f"{result.id}\0{subject}\0{report.target.arn}".encode(errors="surrogatepass"))
        yield {
            "ruleId": result.id,
            "kind": "open",
            "level": "none",
            "message": {"text": f"{subject}: {reason}"},
            "locations": [_location(report, subject, None)],
            "partialFingerprints": {"eksnetpol/v1": mark.hexdigest()[:32]},
        }


def _mark(report: Report, judged: JudgedFinding) -> str:
    text = f"{judged.fingerprint}\0{report.target.arn}"
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:32]


def _location(report: Report, subject: Subject, origin: Origin | None) -> Json:
    if origin:
        uri, line = _uri(origin.file), origin.line
    else:
        names = (report.target.title, subject.kind.lower(), subject.namespace, f"{subject.name}.yaml")
        uri, line = "/".join(("eksnetpol", *(_segment(name) for name in names if name))), 1
    return {
        "physicalLocation": {"artifactLocation": {"uri": uri}, "region": {"startLine": max(line, 1)}},
        "logicalLocations": [
            {"name": subject.name, "fullyQualifiedName": str(subject), "kind": "resource"},
        ],
    }


def _uri(path: str) -> str:
    plain = encodable(path).replace("\\", "/")
    return f"file://{quote(plain)}" if plain.startswith("/") else quote(plain.removeprefix("./"))


def _segment(name: str) -> str:
    # A name is one step of the path, and never the step that means "up" or "here".
    return quote(encodable(name) if name.strip(".") else name.replace(".", "_"), safe="")


def _safe(value: Any) -> Any:
    match value:
        case str():
            return visible(value, keep="\n")
        case dict():
            return {key: _safe(item) for key, item in value.items()}
        case list():
            return [_safe(item) for item in value]
        case _:
            return value
