"""JUnit XML: a suite per family, a case per check.

What files cannot know is a skipped case and not an error: a pipeline that gives nothing but files would be red for ever. In a
cluster the same is an error, because there somebody can do something about it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from eksnetpol.model.findings import CheckResult, Outcome, Report
from eksnetpol.model.snapshot import SourceKind
from eksnetpol.reporting import view
from eksnetpol.reporting.escape import xml, xml_attribute
from eksnetpol.reporting.options import Options

_FINDINGS_SHOWN = 50


def write(report: Report, options: Options) -> str:
    """Return *report* as JUnit XML."""
    families: dict[str, list[CheckResult]] = defaultdict(list)
    for result in report.results:
        families[result.family].append(result)
    from_files = report.source is SourceKind.MANIFESTS
    limit = max((len(r.findings) for r in report.results), default=0) if options.verbose else _FINDINGS_SHOWN
    suites: list[str] = []
    totals = [0, 0, 0, 0]
    for family, results in sorted(families.items()):
        cases = [_case(r, from_files=from_files, limit=limit) for r in sorted(results, key=lambda r: r.id)]
        kinds = [kind for kind, _ in cases]
        counted = [len(kinds), kinds.count("failure"), kinds.count("error"), kinds.count("skipped")]
        totals = [a + b for a, b in zip(totals, counted, strict=True)]
        when = report.looked_at.strftime("%Y-%m-%dT%H:%M:%S")
        opening = f'  <testsuite name="{xml_attribute(family)}" {_counts(counted)} time="0" timestamp="{when}">'
        suites += [opening, *_properties(report), *(text for _, text in cases), "  </testsuite>"]
    head = f'<testsuites name="{xml_attribute(view.sentence(report))}" {_counts(totals)} time="0">'
    return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', head, *suites, "</testsuites>"]) + "\n"


def _counts(counted: list[int]) -> str:
    names = ("tests", "failures", "errors", "skipped")
    return " ".join(f'{name}="{number}"' for name, number in zip(names, counted, strict=True))


def _properties(report: Report) -> Iterator[str]:
    target = report.target
    known = {
        "cluster": target.cluster,
        "region": target.region,
        "account": target.account,
        "arn": target.arn,
        "intent": report.question,
        "source": report.source.value,
        "tool": f"eksnetpol {report.tool_version}",
        "verdict": report.verdict.value,
    }
    yield "    <properties>"
    for name, value in known.items():
        if value:
            yield f'      <property name="{name}" value="{xml_attribute(value)}"/>'
    yield "    </properties>"


def _case(result: CheckResult, *, from_files: bool, limit: int) -> tuple[str, str]:
    """Return the kind of the case (``passed`` where it has no child) and its XML."""
    kind, type_, message, body = _ending(result, from_files=from_files, limit=limit)
    opening = f'    <testcase classname="eksnetpol.{xml_attribute(result.family)}" name="{xml_attribute(result.id)}" time="0"'
    if kind == "passed":
        return kind, f"{opening}/>"
    type_attribute = f' type="{xml_attribute(type_)}"' if type_ else ""
    child = f'      <{kind}{type_attribute} message="{xml_attribute(message)}">{xml(body)}</{kind}>'
    return kind, f"{opening}>\n{child}\n    </testcase>"


def _ending(result: CheckResult, *, from_files: bool, limit: int) -> tuple[str, str, str, str]:
    if result.outcome is Outcome.PASSED:
        return "passed", "", "", ""
    if result.outcome is Outcome.SKIPPED or result.ignored:
        return "skipped", "", f"{'ignored: ' if result.ignored else ''}{result.reason}", _body(result, limit)
    if result.outcome is Outcome.ERRORED:
        return "error", "errored", result.reason, ""
    return _told(result, from_files=from_files, limit=limit)


def _told(result: CheckResult, *, from_files: bool, limit: int) -> tuple[str, str, str, str]:
    found = result.open_findings
    if found:
        worst = min((f.severity for f in found), key=lambda s: s.rank)
        return "failure", worst.value, f"{result.title}: {view.plural(len(found), 'finding')}", _body(result, limit)
    if result.is_undetermined:
        reason = result.reason or next((u.reason for u in result.unknowns), "")
        unknowns = "\n".join(f"{u.subject}: {u.reason}" for u in result.unknowns[:limit])
        return "skipped" if from_files else "error", "" if from_files else "unknown", f"unknown: {reason}", unknowns
    return "skipped", "", f"set aside: {result.findings[0].reason}", _body(result, limit)


def _body(result: CheckResult, limit: int) -> str:
    if not result.findings:
        return ""
    lines = []
    for judged in result.findings[:limit]:
        found = judged.finding
        lines.append(f"{found.subject}: {found.message}")
        lines += [f"  {part}" for part in (found.remedy, found.command) if part]
    if len(result.findings) > limit:
        lines.append(f"(+{len(result.findings) - limit} more; -o json shows all)")
    if result.docs:
        lines.append(f"see {result.docs}")
    return "\n".join(lines)
