"""Assessments and translations as reports, for the formats that pipelines read: SARIF, JUnit, GitHub annotations, HTML."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from eksnetpol import __version__
from eksnetpol.gateways.rule_places import RulePlaces
from eksnetpol.model.findings import CheckResult, Finding, Intent, Report, Severity, Subject, Unknown
from eksnetpol.model.snapshot import ClusterSnapshot
from eksnetpol.operations.migration_results import Rule, result, unknown, verdict_of
from eksnetpol.policy.stacks.rules import Stack
from eksnetpol.translation import Judged, Translation
from eksnetpol.translation import Verdict as Becomes
from eksnetpol.translation.assessment import Assessment

UNDERSTOOD = Rule(
    "policies-are-understood", "every policy is understood whole", Severity.BLOCKER,
    "Take out what is not known here, or see that it is known: nothing is dropped silently.",
)  # fmt: skip
WIDER = Rule(
    "nothing-more-flows", "nothing flows afterwards that did not", Severity.BLOCKER,
    "Deny it by other means, or take it on by name, until a day: [[migration-waivers]] in eksnetpol.toml.",
)  # fmt: skip
UNSAID = Rule(
    "rules-can-be-said", "every rule can be said in a NetworkPolicy", Severity.WARNING,
    "See whether anybody needs what it lets through; nothing of it flows afterwards.",
)  # fmt: skip
STRICTER = Rule(
    "nothing-less-flows", "nothing is denied afterwards that flowed", Severity.WARNING,
    "See whether anybody needs what is lost.",
)  # fmt: skip
TODAY = Rule(
    "translations-hold-tomorrow", "translations hold for later pods and namespaces", Severity.ADVICE,
    "Translate again when what it names has changed.",
)  # fmt: skip
IN_FORCE = Rule(
    "policies-are-in-force", "every policy is one that its own engine takes", Severity.WARNING,
    "Correct it, or remove it: it has no effect today either.",
)  # fmt: skip

_BY_VERDICT = {Becomes.LOOSER: WIDER, Becomes.NONE: UNSAID, Becomes.STRICTER: STRICTER, Becomes.EXACT_NOW: TODAY}
_RULES = (UNDERSTOOD, WIDER, UNSAID, STRICTER, TODAY, IN_FORCE)

REFUSALS = Rule(
    "engine-can-be-left", "the cluster can leave its engine as it is", Severity.BLOCKER, "See to this before anything else."
)
LOSSES = Rule(
    "losses-are-taken-on", "what goes with the engine was taken on by name", Severity.WARNING,
    "Replace it by other means, or take it on by name, until a day: [[migration-waivers]] in eksnetpol.toml.",
)  # fmt: skip
KNOWN = Rule("engines-are-known", "all that is decisive could be read", Severity.BLOCKER, "")


def of_translation(done: Translation, stack: Stack, snapshot: ClusterSnapshot, exit_code: int) -> Report:
    """Return *done*, which *stack* became, as a report with a result for each thing asked of policies."""
    found: dict[str, list[tuple[Finding, str]]] = {rule.id: [] for rule in _RULES}
    unread = {one.ref for one in stack.unread}
    taken = {one.what: one.words for one in done.accepted}
    refused = {j.ref for j in done.refused}
    for one in _told(done.judged):
        failed = one.ref in unread or (one.verdict is Becomes.NONE and one.ref in refused)
        rule = UNDERSTOOD if failed else _BY_VERDICT.get(one.verdict)
        if rule is not None:
            found[rule.id].append((_finding(one, rule), taken.get(str(one.ref), "") if rule is WIDER else ""))
    for dead in stack.refused:
        message = f"{dead.place}: {dead.why}" if dead.place else dead.why
        found[IN_FORCE.id].append((Finding(dead.ref, message, IN_FORCE.remedy), ""))
    places = RulePlaces(snapshot.origins)
    results = (result(rule, found[rule.id], places) for rule in _RULES)
    return _report(snapshot, results, done.notes, exit_code)


def of_assessment(found: Assessment, snapshot: ClusterSnapshot) -> Report:
    """Return *found* as a report: what refuses the move, what goes with the engine, and what is not known."""
    cluster = Subject("cluster", snapshot.target.title)
    taken = {one.what: one.words for one in found.accepted}
    losses = [(Finding(Subject("Loss", name), words, LOSSES.remedy), taken.get(name, "")) for name, words in found.waivers]
    refusals = [(Finding(cluster, words, REFUSALS.remedy), "") for words in found.refusals]
    unknowns = (Unknown(Subject("Section", gap.section), gap.reason) for gap in found.gaps)
    places = RulePlaces(snapshot.origins)
    results = (result(REFUSALS, refusals, places), result(LOSSES, losses, places), unknown(KNOWN, unknowns))
    return _report(snapshot, results, found.notes, found.exit_code)


def _told(judged: Iterable[Judged]) -> Iterator[Judged]:
    """Yield the verdicts on rules, and those on policies of which no rule tells the same."""
    judged = tuple(judged)
    by_rules = {(j.ref, j.verdict) for j in judged if j.place}
    worse = {j.ref for j in judged if j.place and j.verdict is Becomes.NONE}
    for one in judged:
        said = (one.ref, one.verdict) in by_rules or (one.verdict is Becomes.STRICTER and one.ref in worse)
        if one.place or not said:
            yield one


def _finding(one: Judged, rule: Rule) -> Finding:
    message = ": ".join(part for part in (one.place, one.reason or one.verdict.value) if part)
    return Finding(one.ref, message, rule.remedy, evidence=() if one.witness is None else (f"for example {one.witness}",))


def _report(snapshot: ClusterSnapshot, results: Iterable[CheckResult], notes: tuple[str, ...], exit_code: int) -> Report:
    return Report(
        tool_version=__version__,
        intent=Intent.MIGRATE,
        source=snapshot.source,
        target=snapshot.target,
        looked_at=snapshot.taken_at,
        verdict=verdict_of(exit_code),
        results=tuple(results),
        notes=notes,
        exit_code=exit_code,
    )
