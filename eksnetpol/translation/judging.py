"""Verdicts: of each rule by what was found out about it, of each policy by its rules, and what stands in the way of all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from eksnetpol.model.findings import Subject
from eksnetpol.policy.stacks.rules import Does, Stack, StackPolicy, StackRule
from eksnetpol.policy.world import World
from eksnetpol.translation.beyond import FOR_NODES, OF_ITS_OWN, OWN_NODE, denies_own_node, is_for_nodes, is_of_its_own
from eksnetpol.translation.comparing import Differences, compare
from eksnetpol.translation.regions import Ledgers
from eksnetpol.translation.values import Judged, Options, Output, Translation, Verdict

INHERENT = (
    "The node that a pod runs on is always let through, in both directions and whatever a policy says.",
    "Pods on the host network are never held to policies; their addresses are those of their nodes.",
    "A selector that fits pods on the host network lets them through too: those of today are told apart, later ones are not.",
)
"""What holds under the VPC CNI for whatever is written."""


def judge(
    stack: Stack,
    world: World,
    options: Options,
    ledgers: Ledgers,
    failed: Mapping[Subject, Iterable[str]],
    kept: frozenset[int],
    outputs: tuple[Output, ...],
    notes: Iterable[str] = (),
) -> Translation:
    """Return the translation with a verdict on every rule and policy of *stack*, and the differences that its engines find.

    *notes* are said of all of it.
    """
    found = compare(stack, world, options, outputs) if options.compare else Differences()
    judged: list[Judged] = []
    for ref, policies in _by_ref(stack).items():
        if is_for_nodes(policies):
            judged.append(Judged(ref, "", Verdict.NONE, (FOR_NODES,)))
            continue
        for rule in (rule for policy in policies for rule in policy.rules):
            if denies_own_node(rule, stack):
                ledgers[ref, rule.place].looser[OWN_NODE] = None
        judged += _policy(ref, policies, ledgers, failed, found, kept=all(id(policy) in kept for policy in policies))
    judged += [Judged(one.ref, one.place, Verdict.NONE, (one.why,)) for one in stack.beside]
    judged += [Judged(one.ref, one.place, Verdict.LOOSER, (one.why,)) for one in stack.closed]
    for one in stack.unread:
        judged.append(Judged(one.ref, one.place, Verdict.NONE, (f"it is not understood: {one.why}",)))
    judged += _dormant(stack, world, found)
    refused = [j for j in judged if j.verdict is Verdict.LOOSER and not options.waives(j.ref, j.place)]
    refused += [j for j in judged if j.ref in failed and not j.place]
    refused += [j for j in judged if j.verdict is Verdict.NONE and any(j.ref == one.ref for one in stack.unread)]
    dead = (f"{r.ref} is not in force and not translated: {r.why}" for r in stack.refused)
    said = (*INHERENT, *notes, *stack.notes, *dead, *found.notes)
    return Translation(outputs, tuple(judged), tuple(dict.fromkeys(refused)), tuple(dict.fromkeys(said)))


def _dormant(stack: Stack, world: World, found: Differences) -> Iterator[Judged]:
    """Yield verdicts on NetworkPolicies that the source engine does not enforce: they come into force as they are."""
    known = {*_by_ref(stack), *(one.ref for one in (*stack.unread, *stack.refused))}
    words = "it is in force nowhere today, and comes into force when the source engine goes"
    for own in world.network_policies:
        ref = Subject("NetworkPolicy", own.name, own.namespace)
        if ref in known:
            continue
        more, fewer = (next((w for (r, _), w in shown.items() if r == ref), None) for shown in (found.gained, found.lost))
        yield Judged(ref, "", Verdict.STRICTER if more is None else Verdict.LOOSER, (words,), more or fewer, kept=True)


def _by_ref(stack: Stack) -> Mapping[Subject, list[StackPolicy]]:
    """Return the policies of *stack* by what they are called: one object may have a policy in each of several tiers."""
    found: dict[Subject, list[StackPolicy]] = {}
    for tier in stack.tiers:
        for policy in tier.policies:
            # What the engine does unasked has no name, and nobody to tell.
            if policy.ref.name:
                found.setdefault(policy.ref, []).append(policy)
    return found


def _policy(
    ref: Subject,
    policies: list[StackPolicy],
    ledgers: Ledgers,
    failed: Mapping[Subject, Iterable[str]],
    found: Differences,
    *,
    kept: bool,
) -> Iterator[Judged]:
    written = [rule for policy in policies for rule in policy.rules]
    if ref in failed:
        for place in ("", *(rule.place for rule in written)):
            yield Judged(ref, place, Verdict.NONE, tuple(failed[ref]), kept=kept)
        return
    judged: dict[str, Judged] = {}
    for one in (_rule(ref, rule, ledgers, found, kept=kept) for rule in written):
        if one.place not in judged or judged[one.place].verdict.rank < one.verdict.rank:
            judged[one.place] = one
    rules = tuple(judged.values())
    own = _of(ref, "", ledgers, found, is_of_today=any(ledgers[ref, rule.place].now for rule in written), kept=kept)
    worst = max((own, *rules), key=lambda j: _weight(j.verdict).rank)
    reasons = own.reasons if worst is own else (*_at(worst), *own.reasons)
    itself = own.verdict is Verdict.LOOSER
    yield Judged(ref, "", _weight(worst.verdict), reasons, own.witness or worst.witness, kept, itself)
    yield from rules


def _at(judged: Judged) -> tuple[str, ...]:
    return (f"{judged.place}: {judged.reason}".removeprefix(": "),) if judged.reasons else ()


def _weight(verdict: Verdict) -> Verdict:
    """Return what a rule's verdict makes of its policy: a rule that is not there at all makes it stricter."""
    return Verdict.STRICTER if verdict is Verdict.NONE else verdict


def _rule(ref: Subject, rule: StackRule, ledgers: Ledgers, found: Differences, *, kept: bool) -> Judged:
    ledger = ledgers[ref, rule.place]
    judged = _of(ref, rule.place, ledgers, found, kept=kept)
    if judged.verdict is Verdict.EXACT and ledgers[ref, ""].now and not ledger.for_cluster:
        # What holds only for the pods of today says only today what it says.
        return Judged(ref, rule.place, Verdict.EXACT_NOW, tuple(ledgers[ref, ""].now), None, kept)
    if judged.verdict in {Verdict.EXACT, Verdict.EXACT_NOW} and is_of_its_own(rule):
        return Judged(ref, rule.place, Verdict.NONE, (OF_ITS_OWN,), None, kept)
    gone = rule.does is Does.ALLOW and ledger.reached and not ledger.written and ledger.lost
    if gone and judged.verdict is Verdict.STRICTER:
        return Judged(ref, rule.place, Verdict.NONE, judged.reasons, judged.witness, kept)
    return judged


def _of(ref: Subject, place: str, ledgers: Ledgers, found: Differences, *, kept: bool, is_of_today: bool = False) -> Judged:
    ledger = ledgers[ref, place]
    is_of_today = is_of_today or bool(ledger.now or ledgers[ref, ""].now)
    more, fewer = found.gained.get((ref, place)), found.lost.get((ref, place))
    to_come = found.lost_to_come.get((ref, place))
    if not ledger.now:
        # Nothing of it is said to be true of today alone.
        fewer = fewer or to_come
    for cutting in ledger.masked_by:
        more = more or found.gained.get(cutting)
    if not is_of_today:
        # Nor is it of what it is mixed with: then pods of no combination of labels may have other connections.
        fewer = fewer or found.lost_with_others.get((ref, place))
        for own in ((ref, place), *ledger.masked_by):
            more = more or found.gained_with_others.get(own)
    if ledger.looser or more is not None:
        reasons = tuple(ledger.looser) or ("connections that it denied flow afterwards",)
        # Where it is pods to come that gain, what is true of today alone is why.
        today = tuple(ledger.now) if (ref, place) in found.to_come else ()
        return Judged(ref, place, Verdict.LOOSER, (*reasons, *ledger.lost, *today), more, kept)
    if ledger.lost or fewer is not None:
        reasons = tuple(ledger.lost) or ("connections that it let through do not flow afterwards",)
        # Less flows; how much less may be otherwise tomorrow, or something may flow then that should not.
        return Judged(ref, place, Verdict.STRICTER, (*reasons, *ledger.now), fewer or to_come, kept)
    if ledger.now:
        others = found.gained_with_others.get((ref, place)) or found.lost_with_others.get((ref, place))
        return Judged(ref, place, Verdict.EXACT_NOW, tuple(ledger.now), to_come or others, kept)
    return Judged(ref, place, Verdict.EXACT, (), None, kept)
