"""What people have taken on by name, as far as rules say it: whom a rule that was waived is about, and nobody else.

A waiver names a policy of the translation's report, and takes on what its rules that are called *looser* let through. Of a rule
that denied, that is what it matches under the old engine; of a NetworkPolicy that stays, what its rules let through under the
VPC CNI; of one that was written anew, what the policies let through that were written for it. What flows too much for any other
reason is not taken on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from msgspec.structs import replace as changed

from eksnetpol.engines.kubernetes_policies import PODS
from eksnetpol.migration.rules import Rules
from eksnetpol.model.findings import Subject
from eksnetpol.model.kubernetes import ObjectMeta
from eksnetpol.model.policies import NetworkPolicy, NetworkPolicySpec
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.stacks.rules import Does, Stack, StackPolicy, StackRule, StackTier
from eksnetpol.policy.world import World
from eksnetpol.translation.comparing import objects
from eksnetpol.translation.values import Judged, Translation, Verdict

BOTH = ("Ingress", "Egress")
Keeps = Callable[[str, int], bool]


@dataclass(frozen=True)
class Waived:
    """What was taken on: what ``denials`` allow as the old engine reads them, and ``policies`` as the VPC CNI does."""

    denials: Stack
    policies: tuple[NetworkPolicy, ...] = ()


@dataclass(frozen=True)
class TakenOn:
    """What is taken on is ``waived``, as far as it flows under ``end`` too, which is in force in the end."""

    end: Rules
    waived: Waived

    def rules(self, namespaces: Iterable[str]) -> Rules:
        """Return ``waived.policies`` as all that is allowed in *namespaces*."""
        nothing = NetworkPolicySpec(policy_types=BOTH)
        denied = (NetworkPolicy(ObjectMeta(name="nothing-else", namespace=name), nothing) for name in namespaces)
        return Rules(policies=(*denied, *self.waived.policies))


def waived(done: Translation, stack: Stack, world: World) -> Waived | None:
    """Return what was taken on of *done*, which *stack* became in *world*; None where nothing was."""
    by_name: dict[Subject, list[Judged]] = {}
    for one in done.judged:
        if one.verdict is Verdict.LOOSER and one not in done.refused:
            by_name.setdefault(one.ref, []).append(one)
    if not by_name:
        return None
    denials = [policy for ref, judged in by_name.items() for policy in _denials(ref, judged, stack)]
    policies = [policy for ref, judged in by_name.items() for policy in _policies(ref, judged, done, stack, world)]
    return Waived(allowing(denials), tuple(policies))


def allowing(policies: Iterable[StackPolicy]) -> Stack:
    """Return a stack that lets through what rules of *policies* match, whatever they do, and nothing else."""
    both = frozenset(Direction)
    everybody = StackPolicy(Subject("", ""), PODS, both, ())
    meant = (replace(p, isolates=both, rules=tuple(map(_allowing, p.rules))) for p in policies)
    return Stack("waived", (StackTier("", (everybody, *meant), otherwise=Does.DENY),), host_may=False)


def _allowing(rule: StackRule) -> StackRule:
    return replace(rule, does=Does.ALLOW, judged_further=())


def _written(ref: Subject, stack: Stack) -> Iterator[StackPolicy]:
    return (policy for tier in stack.tiers for policy in tier.policies if policy.ref == ref)


def _denials(ref: Subject, judged: list[Judged], stack: Stack) -> Iterator[StackPolicy]:
    places = {one.place for one in judged if one.place}
    for policy in _written(ref, stack):
        rules = [rule for rule in policy.rules if rule.place in places and rule.does is not Does.ALLOW]
        if any(one.itself for one in judged):
            rules += [StackRule(direction, Does.ALLOW) for direction in Direction if direction in policy.isolates]
        if rules:
            yield replace(policy, rules=tuple(rules))


def _policies(
    ref: Subject, judged: list[Judged], done: Translation, stack: Stack, world: World
) -> Iterator[NetworkPolicy]:
    if all(one.kept for one in judged):
        places = {one.place for one in judged if one.place}
        mine = (p for p in world.network_policies if (p.namespace, p.name) == (ref.namespace, ref.name))
        yield from (_only(policy, lambda way, at: not places or f"spec.{way}[{at}]" in places) for policy in mine)
        return
    places = {one.place for one in judged if one.place}
    rules = (rule for policy in _written(ref, stack) for rule in policy.rules)
    anew = {rule.direction.lower() for rule in rules if rule.place in places and rule.does is Does.ALLOW}
    if anew:
        made, _ = objects(output for output in done.outputs if ref in output.origins)
        yield from (_only(policy, lambda way, _: way in anew) for policy in made)


def _only(policy: NetworkPolicy, keeps: Keeps) -> NetworkPolicy:
    """Return *policy* with those of its rules alone that are kept, by direction and number; all else it denies."""
    spec = policy.spec
    ingress = tuple(rule for at, rule in enumerate(spec.ingress) if policy.isolates_ingress and keeps("ingress", at))
    egress = tuple(rule for at, rule in enumerate(spec.egress) if policy.isolates_egress and keeps("egress", at))
    return changed(policy, spec=changed(spec, ingress=ingress, egress=egress, policy_types=BOTH))
