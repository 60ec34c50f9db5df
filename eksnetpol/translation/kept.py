"""NetworkPolicies that stay as they are, and which of their rules the source engine did not wholly let through."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from operator import and_

from eksnetpol.engines.kubernetes_policies import stack_policy
from eksnetpol.model.findings import Subject
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.stacks.algebra import Clause, TooMany, clauses, implies, meets
from eksnetpol.policy.stacks.formulas import EndKind, Within
from eksnetpol.policy.stacks.rules import Does, Stack, StackRule
from eksnetpol.policy.world import World
from eksnetpol.translation.boxes import Box, Ref, Region, TierOf
from eksnetpol.translation.effort import Effort
from eksnetpol.translation.folding import Folding
from eksnetpol.translation.rows import Row
from eksnetpol.translation.subjects import Subjects
from eksnetpol.translation.values import Options
from eksnetpol.translation.vpc import Addresses, of

_MOST = 128
"""So many parts of a rule are looked at for one that nothing else lets through."""

_CLAUSES = 64
"""Into so many clauses whom a rule means is cut at most."""

_NOBODY: Ref = (Subject("", ""), "")


def kept_policies(stack: Stack, world: World, options: Options) -> frozenset[int]:
    """Return the identities of the policies of *stack* that are NetworkPolicies of *world*.

    Other engines have kinds of the same name; where one has the same namespace and name too, the rules tell them apart.
    """
    written = {(p.namespace, p.name): p for p in world.network_policies}
    wanted = options.kept
    policies = [p for tier in stack.tiers for p in tier.policies]
    counted = Counter(p.ref for p in policies)
    found = set()
    for policy in policies:
        own = written.get((policy.ref.namespace, policy.ref.name))
        if policy.ref.kind != "NetworkPolicy" or own is None or (wanted is not None and policy.ref not in wanted):
            continue
        if counted[policy.ref] == 1 or policy == stack_policy(own, world):
            found.add(id(policy))
    return frozenset(found)


def widened(
    tiers: Sequence[TierOf], boxes: Iterable[Box], kept: frozenset[Subject], effort: Effort
) -> Iterator[tuple[Ref, str, tuple[Ref, ...]]]:
    """Yield the rules of kept policies that let more through without the source engine, and what stood in their way there."""
    by_origin: dict[Ref | None, Row] = {}
    plain: Row = []
    for box in boxes:
        by_origin.setdefault(box.origin, []).append(box)
        if box.name is None and not box.unless:
            plain.append(box)
    near = Subjects.of(box.subject for box in plain)
    before: list[Region] = []
    for region in (region for tier in tiers for region in tier.regions):
        if region.ref[0] not in kept or region.does is not Does.ALLOW:
            before += [region] if region.does is not Does.ALLOW else []
            continue
        own = by_origin.get(region.ref, [])
        is_whole = all(any(box.name == name and _is_uncut(box, region) for box in own) for name in region.names)
        if region.connections and not any(box.name is None and _is_uncut(box, region) for box in own):
            is_whole &= not _left(region, (plain[number] for number in near.near(region.subject)), effort)
        if not is_whole:
            met = (one for one in before if effort.meets(one.subject, region.subject) and effort.meets(one.peer, region.peer))
            masks = tuple(dict.fromkeys(one.ref for one in met))
            yield region.ref, _words(masks), masks


def _is_uncut(box: Box, region: Region) -> bool:
    """Say whether a box is all of *region*, of which no earlier rule took anything and no earlier tier isolates a part."""
    if box.cut_by or any(meets(box.subject, one) for one in box.unless):
        return False
    if box.name is None and not region.connections <= box.connections:
        return False
    same = (box.subject, box.peer) == (region.subject, region.peer)
    return same or (implies(region.subject, box.subject) and implies(region.peer, box.peer))


def _left(region: Region, boxes: Iterable[Box], effort: Effort) -> bool:
    """Say whether anything of *region* is in none of *boxes*; True as well where that takes too long to work out."""
    folding = Folding(limit=_MOST, effort=effort)
    row = [Box(region.subject, region.peer, region.connections, origin=region.ref)]
    for box in boxes:
        row = folding.without(Region(_NOBODY, Does.DENY, box.subject, box.peer, box.connections), row)
        if folding.lost or effort.is_spent:
            return True
        if not row:
            return False
    return True


def _words(masks: Iterable[Ref]) -> str:
    by = ", ".join(f"{ref} {place}".strip() for ref, place in masks)
    first = by or "another tier"
    return f"this NetworkPolicy stays as it is, and lets more through than the source engine did: {first} comes before it"


def true_of_today(stack: Stack, kept: frozenset[int], addresses: Addresses) -> Iterator[tuple[Ref, str]]:
    """Yield the rules of kept policies that mean the same without the source engine for the pods of today alone, and why.

    A block means pods too under the VPC CNI, and a port by name means nothing of a block in egress. Where pods of today show it,
    comparing does.
    """
    for policy in (policy for tier in stack.tiers for policy in tier.policies if id(policy) in kept):
        for rule in policy.rules:
            of_pods = [EndKind.POD in clause.kinds for clause in _in_the_vpc(rule, addresses)]
            if not all(of_pods):
                yield (policy.ref, rule.place), "no pod of today has an address in its block, which means pods too afterwards"
            if rule.names and rule.direction is Direction.EGRESS and any(of_pods):
                words = "a port by name means no pod of a block afterwards, and of today it means none there"
                yield (policy.ref, rule.place), words


def _in_the_vpc(rule: StackRule, addresses: Addresses) -> Iterator[Clause]:
    """Yield what a rule means by blocks in which pods can be."""
    try:
        found = clauses(rule.peer, _CLAUSES)
    except TooMany:
        return
    for clause in found:
        blocks = [of(tuple(sorted(atom.networks, key=str))) for atom in clause.holds if isinstance(atom, Within)]
        if blocks and not addresses.holds_no_pod(reduce(and_, blocks)):
            yield clause
