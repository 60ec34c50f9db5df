"""Lint: every check that is about the policies themselves, asked of one look, and judged. Changes nothing, asks nobody."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import msgspec

from eksnetpol.checks.catalog import catalog
from eksnetpol.checks.choose import matches, validate
from eksnetpol.checks.declare import Check
from eksnetpol.checks.judge import judge
from eksnetpol.checks.run import Answer, run
from eksnetpol.checks.words import few
from eksnetpol.errors import UsageError
from eksnetpol.facts.declare import Lookup
from eksnetpol.gateways.rule_places import RulePlaces
from eksnetpol.model.findings import Baseline, Finding, JudgedFinding, Outcome, Report, Severity, Subject
from eksnetpol.model.problems import Problem
from eksnetpol.model.settings import Settings
from eksnetpol.model.snapshot import ClusterSnapshot, Origin
from eksnetpol.policy.answers import Side
from eksnetpol.policy.cases import Outcome as Kept
from eksnetpol.policy.questions import settling

_log = logging.getLogger(__name__)

FAMILY = "policies"
_PLACE = re.compile(r"\b(?:ingress|egress)\[\d+\](?:\.(?:from|to)\[\d+\])?")
ELSEWHERE = frozenset(
    {
        "blocks-cover-custom-networking",
        "host-network-pods-are-unselected",
        "peers-have-addresses-of-their-own",
    }
)
"""Checks of other families that say something about what a policy means."""
WELL_FORMED = "policies-are-well-formed"

DEPENDENCIES = Check(
    id="declared-dependencies-flow",
    family=FAMILY,
    title="what is declared to depend on each other may speak to each other",
    severity=Severity.WARNING,
    docs="https://kubernetes.io/docs/concepts/services-networking/network-policies/",
    sources=("https://kubernetes.io/docs/concepts/services-networking/network-policies/",),
    intents=frozenset(),
    about="objects",
    inputs=(),
    rationale=(
        "A connection needs both sides: all policies for the client must together let it out, and all policies for the server "
        "must together let it in. What the file of dependencies lists is held to that."
    ),
    ask=lambda: iter(()),
)
"""Stands for the file that --dependencies names; asked by `policy lint` alone, where it is given."""


def is_lint(check: Check) -> bool:
    """Say whether *check* is about policies, and so asked by `policy lint`."""
    return check.family == FAMILY or check.id in ELSEWHERE


@dataclass(frozen=True, slots=True)
class Extra:
    """What a lint is told besides the snapshot: policies that could not be read, and how declared dependencies ended.

    ``dependencies`` is None where no file declares any.
    """

    problems: Sequence[Problem] = ()
    dependencies: Sequence[Kept] | None = None


def lint(
    snapshot: ClusterSnapshot,
    settings: Settings | None = None,
    baseline: Baseline | None = None,
    extra: Extra | None = None,
    lookup: Lookup | None = None,
) -> Report:
    """Return what is wrong with the policies of *snapshot*; *lookup* is what has been worked out of it already.

    *baseline* is a former report (`reporting.json_v1.read_baseline`); what it found already does not count. Raises `UsageError`
    when *settings* names what there is not, or leaves nothing to ask. The traceback of a check that broke goes to the log.
    """
    settings, extra = settings or Settings(), extra or Extra()
    known = (*catalog(), DEPENDENCIES)
    validate(settings, known)
    lints = [c for c in known if is_lint(c) and (c is not DEPENDENCIES or extra.dependencies is not None)]
    wanted = {c.id: not _skipped(c, settings) for c in lints}
    if not any(wanted.values()):
        raise UsageError("select and skip leave no lint to ask; `eksnetpol checks list --family policies` prints them")
    answers = run((c for c in lints if wanted[c.id] and c is not DEPENDENCIES), snapshot, lookup)
    for answer in answers:
        if answer.trace:
            _log.debug("%s broke\n%s", answer.check.id, answer.trace)
    judged = [_with_problems(a, extra.problems) if a.check.id == WELL_FORMED else a for a in answers]
    if extra.dependencies is not None and wanted[DEPENDENCIES.id]:
        judged.append(_of_dependencies(extra.dependencies))
    judged += [Answer(c, Outcome.SKIPPED, _skipped(c, settings)) for c in lints if not wanted[c.id]]
    snapshot = _with_origins(snapshot, extra)
    report = judge(judged, settings, snapshot, baseline=baseline, known=[c.id for c in known], is_lint=True)
    return _located(report, RulePlaces(snapshot.origins))


def _skipped(check: Check, settings: Settings) -> str:
    if settings.select and not any(matches(pattern, check) for pattern in settings.select):
        return "not selected"
    skipped_by = next((pattern for pattern in settings.skip if matches(pattern, check)), "")
    return f"skipped by {skipped_by!r}" if skipped_by else ""


# --- lines --------------------------------------------------------------------------------------------------------------


def _located(report: Report, places: RulePlaces) -> Report:
    """Return *report* with the lines of rules in place of those of whole policies, where a finding names a rule."""
    return msgspec.structs.replace(
        report,
        results=tuple(
            msgspec.structs.replace(r, findings=tuple(_at_its_rule(f, places) for f in r.findings)) if r.findings else r
            for r in report.results
        ),
    )


def _at_its_rule(judged: JudgedFinding, places: RulePlaces) -> JudgedFinding:
    if judged.origin is None:
        return judged
    # Checks write the place of a rule in one way, and first the one that the finding is about.
    place = _PLACE.search(judged.finding.message)
    if place is None:
        return judged
    return msgspec.structs.replace(judged, origin=_origin(places.of(judged.finding.subject, place[0])))


# --- policies that could not be read ------------------------------------------------------------------------------------


def _with_problems(answer: Answer, problems: Sequence[Problem]) -> Answer:
    by_subject: dict[Subject, list[Problem]] = {}
    for problem in problems:
        by_subject.setdefault(_subject_of(problem), []).append(problem)
    if not by_subject:
        return answer
    known = {f.subject for f in answer.findings}
    found = (_malformed(subject, several) for subject, several in by_subject.items() if subject not in known)
    return replace(answer, outcome=Outcome.FAILED, reason="", findings=(*answer.findings, *found))


def _subject_of(problem: Problem) -> Subject:
    return problem.subject or Subject("File", problem.place.rpartition(":")[0] or problem.place)


def _malformed(subject: Subject, problems: Sequence[Problem]) -> Finding:
    first = problems[0]
    words = [f"{p.field}: {p.message}" if p.field else p.message for p in problems]
    return Finding(
        subject=subject,
        message=f"{words[0].rstrip('.')} (left out of everything else)",
        remedy="Correct it; the API server refuses it as it is.",
        command=f"kubectl apply --dry-run=server --validate=strict -f {first.place.rpartition(':')[0] or 'FILE'}",
        evidence=few(words[1:]),
    )


# --- dependencies -------------------------------------------------------------------------------------------------------


def _of_dependencies(ended: Sequence[Kept]) -> Answer:
    found = tuple(_blocked(kept) for kept in ended if not kept.passed)
    evidence = (f"{len(ended) - len(found)} of {len(ended)} dependencies flow",)
    return Answer(DEPENDENCIES, Outcome.FAILED if found else Outcome.PASSED, findings=found, evidence=evidence)


def _blocked(kept: Kept) -> Finding:
    reply = kept.reply
    what = reply.asked.text if reply.asked else "everything"
    decision = next((d for d in reply.decisions if not d.allowed), None)
    sides = () if decision is None else decision.sides
    where = " and ".join(words for side in sides if not side.allowed for words in (_side(side),)) or "one side"
    partly = "in part " if reply.partial else ""
    return Finding(
        subject=_dependency(kept),
        message=f"{reply.source.title} to {reply.destination.title}, {what}: {partly}blocked at {where}",
        remedy="Allow it on the side that is named; `eksnetpol policy explain` prints the smallest rule that does.",
        command=f"eksnetpol policy explain {_shown(kept)}",
        evidence=few(_deciders(sides)),
    )


def _dependency(kept: Kept) -> Subject:
    case = kept.case
    port = "" if case.port is None and case.protocol is None else f" {case.port or ''}/{case.protocol or 'TCP'}"
    return Subject("Dependency", f"{case.name}{port}")


def _side(side: Side) -> str:
    policies = few(dict.fromkeys(str(d.subject) for d in settling(side) if d.subject is not None))
    return f"{side.direction.lower()} ({', '.join(policies)})" if policies else side.direction.lower()


def _deciders(sides: Iterable[Side]) -> Iterator[str]:
    for side in sides:
        for decider in settling(side):
            at = f" {decider.place}" if decider.place else ""
            yield f"{side.direction.lower()}: {decider.subject or 'no policy'}{at} {decider.say}"


def _shown(kept: Kept) -> str:
    case = kept.case
    sides = (s if isinstance(s, str) else f"{s.namespace}/POD" for s in (case.source, case.destination))
    port = "" if case.port is None else f" {case.port}/{(case.protocol or 'TCP').lower()}"
    return " ".join(sides) + port


def _with_origins(snapshot: ClusterSnapshot, extra: Extra) -> ClusterSnapshot:
    """Return *snapshot* with the places of what it does not hold: policies that were left out, and declared dependencies."""
    places = {str(_subject_of(p)): p.place for p in reversed(extra.problems)}
    places |= {str(_dependency(kept)): kept.case.place for kept in extra.dependencies or ()}
    origins = {subject: _origin(place) for subject, place in places.items() if place}
    return msgspec.structs.replace(snapshot, origins={**snapshot.origins, **origins}) if origins else snapshot


def _origin(place: str) -> Origin:
    file, colon, line = place.rpartition(":")
    return Origin(file, int(line)) if colon and line.isdigit() else Origin(place)
