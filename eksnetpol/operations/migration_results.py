"""What is asked of a migration as results of a report: each with a title that says what is well, as checks have them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from eksnetpol.checks.judge import fingerprint
from eksnetpol.gateways.rule_places import RulePlaces
from eksnetpol.model.findings import (
    CheckResult,
    Disposition,
    Finding,
    JudgedFinding,
    Outcome,
    Severity,
    Subject,
    Unknown,
    Verdict,
)
from eksnetpol.model.snapshot import Origin

FAMILY = "migration"
DOCS = "https://github.com/eksnetpol/eksnetpol/blob/main/docs/migration.md"


@dataclass(frozen=True, slots=True)
class Rule:
    """What is asked, as a check is: a title that says what is well, how bad it is otherwise, and what to do then."""

    id: str
    title: str
    severity: Severity
    remedy: str


def result(rule: Rule, found: Iterable[tuple[Finding, str]], places: RulePlaces | None = None) -> CheckResult:
    """Return that *rule* holds, or does not where anything was *found*: findings, with who has taken each on, empty for nobody.

    *places* tell where in files what was found stands.
    """
    seen: Counter[Subject] = Counter()
    judged = []
    for finding, taken in found:
        disposition = Disposition.WAIVED if taken else Disposition.OPEN
        mark = fingerprint(rule.id, finding.subject, seen[finding.subject])
        place = "" if places is None else places.of(finding.subject, finding.message.partition(": ")[0])
        judged.append(JudgedFinding(finding, rule.severity, mark, disposition, taken, _origin(place)))
        seen[finding.subject] += 1
    return _result(rule, Outcome.FAILED if judged else Outcome.PASSED, findings=tuple(judged))


def unknown(rule: Rule, unknowns: Iterable[Unknown]) -> CheckResult:
    """Return that whether *rule* holds is not known, for these reasons; that it holds where there are none."""
    unknowns = tuple(unknowns)
    if not unknowns:
        return result(rule, ())
    return _result(rule, Outcome.UNKNOWN, reason=unknowns[0].reason, unknowns=unknowns)


def verdict_of(exit_code: int) -> Verdict:
    """Return what a report that ends with *exit_code* says in a word."""
    return {0: Verdict.READY, 3: Verdict.UNDETERMINED}.get(exit_code, Verdict.BLOCKED)


def _result(
    rule: Rule,
    outcome: Outcome,
    *,
    reason: str = "",
    findings: tuple[JudgedFinding, ...] = (),
    unknowns: tuple[Unknown, ...] = (),
) -> CheckResult:
    return CheckResult(
        rule.id, FAMILY, rule.title, rule.severity, outcome, reason, findings=findings, unknowns=unknowns, docs=DOCS
    )


def _origin(place: str) -> Origin | None:
    file, colon, line = place.rpartition(":")
    return Origin(file, int(line)) if colon and line.isdigit() else None
