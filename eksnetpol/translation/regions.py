"""The policies of a stack as one namespace sees them: which hold there, in which order, and what each of their rules matches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from eksnetpol.policy.ports import EVERY_PORT
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.stacks.algebra import conjunction, is_nobody, simplified
from eksnetpol.policy.stacks.formulas import And, EndKind, Formula, Is, Named, Scope
from eksnetpol.policy.stacks.rules import Does, Stack, StackPolicy, StackRule
from eksnetpol.translation.boxes import Ref, Region, TierOf
from eksnetpol.translation.ground import Ground
from eksnetpol.translation.values import Options


@dataclass
class Ledger:
    """What is found out about one rule while it is translated.

    ``now`` and ``lost`` are reasons for less than *exact*, ``looser`` are reasons for more, and ``masked_by`` the rules that
    stood in its way; ``reached`` and ``written`` say whether it lets anything through before, and after. ``for_cluster``: it is
    said for the whole cluster, in namespaces to come too.
    """

    now: dict[str, None] = field(default_factory=dict)
    lost: dict[str, None] = field(default_factory=dict)
    looser: dict[str, None] = field(default_factory=dict)
    masked_by: tuple[Ref, ...] = ()
    reached: bool = False
    written: bool = False
    for_cluster: bool = False


Ledgers = defaultdict[Ref, Ledger]

_PODS = Is(frozenset({EndKind.POD}))

ONE_NUMBER = "the port named {} has one number on all the pods of today"
"""In ingress rules the controller opens every number that a name has on any of a policy's pods on all of them."""


@dataclass(frozen=True, slots=True)
class Held:
    """A policy that holds for pods of a namespace: for *subject* maybe, for *sure* certainly, both by labels of pods."""

    policy: StackPolicy
    subject: Formula
    sure: Formula


@dataclass
class Regions:
    """Reads a stack for one namespace after the other."""

    stack: Stack
    options: Options
    ledgers: Ledgers

    @cached_property
    def namespaced(self) -> Mapping[int, frozenset[str] | None]:
        """By identity of a policy the namespaces it can hold in; None: any."""
        return {id(policy): namespaces_of(policy.subject) for tier in self.stack.tiers for policy in tier.policies}

    def note_today(self, kept: frozenset[int]) -> None:
        """Write down what of policies and rules was looked up in the cluster, whether or not it holds for a pod of today.

        *kept* are the identities of policies that stay as they are: nobody writes them anew and says it then.
        """
        for policy, rule in policies_of(self.stack):
            here = self.ledgers[policy.ref, rule.place if rule is not None else ""]
            here.now |= dict.fromkeys(policy.today if rule is None else rule.today)
            if rule is not None and id(policy) in kept and rule.direction is Direction.INGRESS:
                here.now |= {ONE_NUMBER.format(name.name): None for name in rule.names}
            if rule is None and self.namespaced[id(policy)] is None and not is_nobody(conjunction(_PODS, policy.subject)):
                here.now["it holds for namespaces that are there today; later ones need a policy of their own"] = None

    @cached_property
    def _by_namespace(self) -> Mapping[str, list[tuple[int, int]]]:
        found: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        for at, tier in enumerate(self.stack.tiers):
            for number, policy in enumerate(tier.policies):
                for name in self.namespaced[id(policy)] or ("",):
                    found[name].append((at, number))
        return found

    def names(self) -> frozenset[str]:
        """Return the namespaces that policies name themselves."""
        return frozenset(self._by_namespace) - {""}

    def held(self, ground: Ground) -> list[list[Held]]:
        """Return the policies that hold for pods of a namespace, tier by tier."""
        found: list[list[Held]] = [[] for _ in self.stack.tiers]
        for at, number in sorted((*self._by_namespace.get(ground.namespace, ()), *self._by_namespace.get("", ()))):
            policy = self.stack.tiers[at].policies[number]
            subject = ground.subject(policy.subject, upper=True)
            ledger = self.ledgers[policy.ref, ""]
            # Also where it holds for no pod of today: tomorrow it may.
            ledger.now |= dict.fromkeys(subject.now)
            if is_nobody(subject.formula):
                continue
            sure = ground.subject(policy.subject, upper=False)
            ledger.lost |= dict.fromkeys(subject.lost)
            found[at].append(Held(policy, subject.formula, sure.formula))
        return found

    def tiers(self, held: list[list[Held]], direction: Direction, ground: Ground) -> list[TierOf]:
        """Return the tiers of one direction with everything their rules match."""
        found = []
        for tier, policies in zip(self.stack.tiers, held, strict=True):
            isolating = [h for h in policies if direction in h.policy.isolates]
            regions = [
                region
                for h in policies
                for rule in h.policy.rules
                if rule.direction is direction and (region := self._region(h, rule, ground)) is not None
            ]
            found.append(
                TierOf(tier.otherwise, tuple(h.subject for h in isolating), tuple(h.sure for h in isolating), tuple(regions))
            )
        return found

    def _region(self, held: Held, rule: StackRule, ground: Ground) -> Region | None:
        ref = (held.policy.ref, rule.place)
        ledger = self.ledgers[ref]
        allows = rule.does is Does.ALLOW
        own = simplified(And((held.policy.subject, rule.local)))
        subject, peer = ground.subject(own, upper=not allows), ground.peer(rule.peer, upper=not allows)
        if not is_nobody(own):
            ledger.now |= dict.fromkeys((*subject.now, *peer.now))
        if is_nobody(ground.subject(own, upper=True).formula):
            return None
        further = _further(rule)
        if allows:
            ledger.reached |= not is_nobody(ground.peer(rule.peer, upper=True).formula) and _matches(rule)
            ledger.lost |= dict.fromkeys((*subject.lost, *peer.lost))
            if rule.source_ports != EVERY_PORT or (further and not self.options.waives(*ref)):
                ledger.lost |= dict.fromkeys(further)
                return None
            ledger.looser |= dict.fromkeys(further)
            if is_nobody(subject.formula) or is_nobody(peer.formula):
                return None
            return Region(ref, rule.does, subject.formula, peer.formula, rule.connections, rule.names)
        if is_nobody(peer.formula) or not _matches(rule):
            return None
        is_sure = not (subject.lost or peer.lost or further)
        sure_subject = subject.formula if is_sure else ground.subject(own, upper=False).formula
        sure_peer = peer.formula if is_sure else ground.peer(rule.peer, upper=False).formula
        return Region(
            ref, rule.does, subject.formula, peer.formula, rule.connections, rule.names, sure_subject, sure_peer, is_sure=is_sure
        )


def _matches(rule: StackRule) -> bool:
    return bool(rule.source_ports) and (bool(rule.connections) or bool(rule.names))


def _further(rule: StackRule) -> tuple[str, ...]:
    """Return what a rule looks at that no NetworkPolicy does."""
    found = []
    if rule.source_ports != EVERY_PORT:
        found.append(f"a NetworkPolicy cannot ask for source ports ({rule.source_ports})")
    if rule.judged_further:
        found.append(f"a NetworkPolicy cannot ask for {', '.join(rule.judged_further)}")
    return tuple(found)


def namespaces_of(subject: Formula) -> frozenset[str] | None:
    """Return the namespaces that *subject* names as the only ones it is in; None where it names none."""
    match subject:
        case Named(Scope.NAMESPACE):
            return subject.names
        case And():
            for part in subject.parts:
                found = namespaces_of(part)
                if found is not None:
                    return found
    return None


def policies_of(stack: Stack) -> Iterator[tuple[StackPolicy, StackRule | None]]:
    """Yield every policy, with None, and after it each of its rules."""
    for tier in stack.tiers:
        for policy in tier.policies:
            yield policy, None
            for rule in policy.rules:
                yield policy, rule
