"""NetworkPolicies that stay as they are, and which of their rules the source engine did not wholly let through."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from eksnetpol.engines.kubernetes_policies import stack_policy
from eksnetpol.model.findings import Subject
from eksnetpol.policy.stacks.rules import Does, Stack
from eksnetpol.policy.world import World
from eksnetpol.translation.boxes import Box, Folding, Ref, Region, TierOf
from eksnetpol.translation.values import Options


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


def widened(tiers: Sequence[TierOf], boxes: Iterable[Box], kept: frozenset[Subject]) -> Iterator[tuple[Ref, str]]:
    """Yield the rules of kept policies that let more through without the source engine, and what cut them there."""
    boxes = list(boxes)
    for tier in tiers:
        for region in tier.regions:
            if region.ref[0] not in kept or region.does is not Does.ALLOW:
                continue
            own = [Box(region.subject, region.peer, region.connections, origin=region.ref)]
            if any(b.origin == region.ref and not b.cut_by for b in boxes) and not region.names:
                continue
            cutting = sorted({f"{ref} {place}".strip() for b in boxes if b.origin == region.ref for ref, place in b.cut_by})
            if region.names:
                if cutting:
                    yield region.ref, _words(cutting)
                continue
            if _left(own, boxes):
                yield region.ref, _words(cutting)


def _left(region: list[Box], boxes: Iterable[Box]) -> bool:
    """Say whether anything of *region* is in none of *boxes*."""
    folding = Folding(limit=0)
    for box in boxes:
        if box.name is not None or box.unless:
            continue
        taking = Region((Subject("", ""), ""), Does.DENY, box.subject, box.peer, box.connections)
        region = folding.without(taking, region)
        if not region:
            return False
    return True


def _words(cutting: Sequence[str]) -> str:
    by = f": {', '.join(cutting)} comes before it" if cutting else ""
    return f"this NetworkPolicy stays as it is, and lets more through than the source engine did{by}"
