"""Checks x snapshot -> answers, before configuration, waivers and baseline have their say (`judge.py`)."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from dataclasses import dataclass

from eksnetpol.checks.declare import Check, NotApplicable
from eksnetpol.facts.declare import Lookup
from eksnetpol.model.findings import Evidence, Finding, Outcome, Unknown
from eksnetpol.model.snapshot import ClusterSnapshot, Unread, Why

ONLY_FILES = "nothing was found in the files given, but they may not be all there is"


@dataclass(frozen=True, slots=True)
class Answer:
    """What one check said. ``trace`` is the traceback of one that errored, for ``--debug``."""

    check: Check
    outcome: Outcome
    reason: str = ""
    findings: tuple[Finding, ...] = ()
    unknowns: tuple[Unknown, ...] = ()
    evidence: tuple[str, ...] = ()
    trace: str = ""


def run(checks: Iterable[Check], snapshot: ClusterSnapshot, lookup: Lookup | None = None) -> tuple[Answer, ...]:
    """Ask each of *checks* about *snapshot*, in order. No exception leaves: a check that raises is *errored*."""
    lookup = lookup or Lookup(snapshot)
    return tuple(_ask(check, lookup) for check in checks)


def _ask(check: Check, lookup: Lookup) -> Answer:
    try:
        arguments = lookup.arguments(check.inputs)
        if isinstance(arguments, Unread):
            outcome = Outcome.SKIPPED if arguments.why is Why.ABSENT else Outcome.UNKNOWN
            return Answer(check, outcome, arguments.reason)
        findings: list[Finding] = []
        unknowns: list[Unknown] = []
        evidence: list[str] = []
        for said in check.ask(**arguments):
            match said:
                case Finding():
                    findings.append(said)
                case Unknown():
                    unknowns.append(said)
                case Evidence():
                    evidence.append(said.text)
        outcome, reason = _outcome(check, lookup, findings, unknowns)
        return Answer(check, outcome, reason, tuple(findings), tuple(unknowns), tuple(evidence))
    except NotApplicable as why:
        return Answer(check, Outcome.SKIPPED, str(why))
    except Exception as error:  # noqa: BLE001 - the one place where anything may go wrong without ending the run
        reason = f"this check broke ({type(error).__name__}: {error}); please report it"
        return Answer(check, Outcome.ERRORED, reason, trace=traceback.format_exc())


def _outcome(
    check: Check, lookup: Lookup, findings: list[Finding], unknowns: list[Unknown]
) -> tuple[Outcome, str]:
    if findings:
        return Outcome.FAILED, ""
    if unknowns:
        first = unknowns[0].reason
        return Outcome.UNKNOWN, first if len(unknowns) == 1 else f"{first} (and {len(unknowns) - 1} more)"
    if check.about == "cluster" and not lookup.is_complete(check.inputs):
        return Outcome.UNKNOWN, ONLY_FILES
    return Outcome.PASSED, ""
