"""Rules of a stack in their places, those that are said for the whole cluster, and what is left of the stack without them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from eksnetpol.policy.connections import Connections
from eksnetpol.policy.ports import EVERY_PORT
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.stacks.algebra import conjunction, implies, meets, negation
from eksnetpol.policy.stacks.formulas import Formula
from eksnetpol.policy.stacks.rules import Does, Stack, StackPolicy, StackRule, StackTier
from eksnetpol.translation.boxes import Ref, meant
from eksnetpol.translation.cluster_rules import ClusterRule


@dataclass(frozen=True)
class Step:
    """One rule in its place: the number *at* of all rules, its tier, and its formulas as `Wording.seen` has them."""

    at: int
    tier: int
    policy: StackPolicy
    rule: StackRule
    subject: Formula
    peer: Formula

    @property
    def ref(self) -> Ref:
        """What to call it."""
        return self.policy.ref, self.rule.place

    @property
    def does(self) -> Does:
        """What it does with what it matches."""
        return self.rule.does

    @property
    def spoken(self) -> Connections:
        """All that it may speak of, with whatever ports its names may mean."""
        found = self.rule.connections
        for name in self.rule.names:
            found = found | meant(name)
        return found

    @property
    def is_unclear(self) -> bool:
        """True where more than addresses and numbers of ports tell what it matches, and where it matches nothing."""
        rule = self.rule
        return bool(rule.names or rule.judged_further) or rule.source_ports != EVERY_PORT or not rule.connections


class Part(NamedTuple):
    """Some connections between pods and others."""

    subject: Formula
    peer: Formula
    connections: Connections

    def without(self, taken: Part) -> Iterator[Part]:
        """Yield parts that together are this one without *taken*; they overlap."""
        if not (self.connections & taken.connections and meets(self.subject, taken.subject) and meets(self.peer, taken.peer)):
            yield self
            return
        if not implies(self.subject, taken.subject):
            yield self._replace(subject=conjunction(self.subject, negation(taken.subject)))
        if not implies(self.peer, taken.peer):
            yield self._replace(peer=conjunction(self.peer, negation(taken.peer)))
        if self.connections - taken.connections:
            yield self._replace(connections=self.connections - taken.connections)


class Placed(NamedTuple):
    """A rule that is said for the whole cluster: in which tier, and at which *level* there, 0 being asked first."""

    step: Step
    tier: str
    level: int
    rules: tuple[ClusterRule, ...]


@dataclass(frozen=True)
class Choice:
    """What is said for the whole cluster, and the stack that is *left* to be said in NetworkPolicies."""

    left: Stack
    placed: tuple[Placed, ...] = ()

    @property
    def refs(self) -> frozenset[Ref]:
        """The rules that are wholly said so."""
        here = {(policy.ref, rule.place) for tier in self.left.tiers for policy in tier.policies for rule in policy.rules}
        return frozenset(p.step.ref for p in self.placed) - here


def stack_left(stack: Stack, steps: Iterable[Step], gone: Collection[int]) -> Stack:
    """Return *stack* without the rules of the numbers *gone*, which are said before what is left, or behind it."""
    steps = iter(steps)
    tiers = []
    for tier in stack.tiers:
        own = [(policy, [next(steps) for _ in policy.rules]) for policy in tier.policies]
        tiers.append(_tier_left(tier, own, gone))
    return replace(stack, tiers=tuple(tiers))


def _tier_left(tier: StackTier, own: list[tuple[StackPolicy, list[Step]]], gone: Collection[int]) -> StackTier:
    later = {d for d in Direction if tier.otherwise in {Does.DENY, Does.ALLOW} and any(d in p.isolates for p, _ in own)}
    stays: set[int] = set()
    for _, steps in reversed(own):
        for step in reversed(steps):
            # A rule that passes on does nothing where nothing follows it in its tier.
            if step.at not in gone or (step.does is Does.PASS and step.rule.direction in later):
                stays.add(step.at)
                later.add(step.rule.direction)
    policies = []
    for policy, steps in own:
        rules = tuple(s.rule for s in steps if s.at in stays)
        if rules or policy.isolates or not policy.rules:
            policies.append(policy if len(rules) == len(policy.rules) else replace(policy, rules=rules))
    return replace(tier, policies=tuple(policies))
