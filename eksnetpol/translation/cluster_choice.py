"""Which rules of a stack are said for the whole cluster, in ClusterNetworkPolicies before or after all NetworkPolicies.

Before: what the Admin tier settles, no NetworkPolicy is asked about. So a rule can be said there when every earlier rule that
does something else with a connection of it is said there too, in its order, and no earlier tier isolates what it allows; it is
taken out of the stack, and what is left is translated as ever: first the one, then the other, is the whole. After: rules of the
last tier, which the agent asks for pods without any NetworkPolicy alone, whatever its direction.

Said so are denials of policies that hold in any namespace, also in those to come; denials that come before NetworkPolicies which
stay as they are; what a policy that isolates nobody allows everywhere; and what has to be said with these to keep their order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from eksnetpol.policy.rules import Direction
from eksnetpol.policy.stacks.algebra import meets
from eksnetpol.policy.stacks.formulas import And, Formula
from eksnetpol.policy.stacks.rules import Does, Stack
from eksnetpol.policy.tiers import ADMIN, BASELINE
from eksnetpol.translation.cluster_rules import SLOTS, ClusterRule, Unsayable, Wording
from eksnetpol.translation.cluster_steps import Choice, Part, Placed, Step, stack_left

_QUESTIONS = 60_000
"""So many pairs of rules are looked at; beyond, those that do different things count as ones that meet."""

HIGHEST = 1000
"""The last priority there is (the kind's definition)."""

_PARTS = 4
"""Into so many parts a denial may come apart where something is allowed before it."""


@dataclass
class Choosing:
    """Chooses for one stack. ``kept``: identities of the NetworkPolicies that stay; ``namespaced``: where policies hold."""

    stack: Stack
    wording: Wording
    kept: frozenset[int]
    namespaced: Mapping[int, frozenset[str] | None]
    banned: set[int] = field(default_factory=set)
    """Numbers of rules that are not to be said so."""
    _asked: int = 0
    _can: dict[int, bool] = field(default_factory=dict, repr=False)
    _meet: dict[tuple[Formula, Formula], bool] = field(default_factory=dict, repr=False)
    _words: dict[int, tuple[ClusterRule, ...]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.steps = tuple(self._steps())
        self.of = {d: tuple(s for s in self.steps if s.rule.direction is d) for d in Direction}
        last = len(self.stack.tiers) - 1
        open_ended = last > 0 and self.stack.tiers[last].otherwise not in {Does.DENY, Does.ALLOW}
        self.baseline = last if open_ended else None

    def _steps(self) -> Iterator[Step]:
        seen: dict[Formula, Formula] = {}
        at = 0
        for number, tier in enumerate(self.stack.tiers):
            for policy in tier.policies:
                for rule in policy.rules:
                    own = And((policy.subject, rule.local))
                    for formula in (own, rule.peer):
                        if formula not in seen:
                            seen[formula] = self.wording.seen(formula)
                    yield Step(at, number, policy, rule, seen[own], seen[rule.peer])
                    at += 1

    # --- choosing -----------------------------------------------------------------------------------------------------

    def choose(self) -> Choice:
        """Return what is said for the whole cluster, but for what is banned."""
        wanted = [step for step in self.steps if self._is_wanted(step)]
        needed = self._closure(wanted, turned=False)
        while True:
            self._can = {}
            for step in needed:
                self._can[step.at] = self._may(step)
            # Denials first: there is not room for everything.
            denied, allowed = (
                self._closure((s for s in wanted if self._can[s.at] and (s.does is Does.DENY) is denies), turned=True)
                for denies in (True, False)
            )
            chosen = list({s.at: s for s in (*denied, *allowed)}.values())
            wrong = self._wrong(chosen)
            if not wrong:
                break
            self.banned |= wrong
        placed = tuple(self._placed(sorted(chosen, key=lambda s: s.at)))
        return Choice(stack_left(self.stack, self.steps, {p.step.at for p in placed}), placed)

    def _closure(self, wanted: Iterable[Step], *, turned: bool) -> list[Step]:
        """Return *wanted* with all that has to be said before; *turned*: but for what is cut out of denials at the other end."""
        found: dict[int, Step] = {}
        waiting = list(wanted)
        while waiting:
            step = waiting.pop()
            if step.at not in found:
                found[step.at] = step
                waiting += [] if turned and self._is_turned(step) else self._before(step)
        return sorted(found.values(), key=lambda s: s.at)

    def _is_wanted(self, step: Step) -> bool:
        if id(step.policy) in self.kept or step.does is Does.PASS or not step.rule.source_ports or not step.rule.connections:
            return False
        everywhere = self.namespaced[id(step.policy)] is None
        if step.does is Does.ALLOW:
            ends = self.stack.tiers[step.tier].otherwise
            return everywhere and (ends is not Does.DENY or step.rule.direction not in step.policy.isolates)
        return everywhere or any(
            id(later.policy) in self.kept and self._overlap(step, later)
            for later in self.of[step.rule.direction]
            if later.at > step.at and later.does is Does.ALLOW
        )

    def _may(self, step: Step) -> bool:
        """Say whether *step* can be said, when that is known of what has to be said before it."""
        if step.at in self.banned or id(step.policy) in self.kept or step.is_unclear or self._is_hidden(step):
            return False
        if step.at not in self._words:
            try:
                self._words[step.at] = tuple(self._said(step))
            except Unsayable:
                self.banned.add(step.at)
                return False
        return self._is_turned(step) or all(self._can[earlier.at] for earlier in self._before(step))

    def _is_turned(self, step: Step) -> bool:
        """Say whether a denial is said at the other end, wholly or in part, so that what comes before is cut out of it."""
        return step.rule.direction is Direction.EGRESS and any(r.direction is Direction.INGRESS for r in self._words[step.at])

    def _said(self, step: Step) -> Iterator[ClusterRule]:
        rule, wording = step.rule, self.wording
        if rule.direction is Direction.INGRESS or step.does is not Does.DENY:
            yield from wording.said(step.does, step.subject, step.peer, rule.connections, rule.direction)
            return
        whole = wording.said(step.does, step.subject, step.peer, rule.connections, rule.direction)
        if all(one.direction is Direction.EGRESS for one in whole):
            yield from whole
            return
        if step.tier == self.baseline:
            raise Unsayable("whether the Baseline tier is asked depends on the pod that sends")
        parts = self._cut(step)
        if not parts:
            raise Unsayable("nothing is left of it")
        for part in parts:
            yield from wording.said(step.does, part.subject, part.peer, part.connections, rule.direction)

    def _cut(self, step: Step) -> list[Part]:
        """Return what a denial matches without what is settled or passed on before it."""
        parts = [Part(step.subject, step.peer, step.rule.connections)]
        for earlier in self._before(step):
            passing = (p for p in self.of[step.rule.direction] if p.tier == earlier.tier and p.at < earlier.at)
            unsure = any(p.does is Does.PASS and self._overlap(p, earlier) for p in passing)
            if earlier.is_unclear or self._is_hidden(earlier) or (unsure and earlier.does is Does.ALLOW):
                raise Unsayable("what is allowed before is not surely allowed")
            subject, peer = (self.wording.plain(f, with_blocks=True) for f in (earlier.subject, earlier.peer))
            taken = Part(subject, peer, earlier.rule.connections)
            parts = [left for part in parts for left in part.without(taken)]
            if len(parts) > _PARTS:
                raise Unsayable("too many parts")
        return parts

    # --- what stands before what ----------------------------------------------------------------------------------------

    def _before(self, step: Step) -> list[Step]:
        """Return the earlier rules that have to be said before *step*, because they do something else with what both match."""
        found = []
        for earlier in self.of[step.rule.direction]:
            if earlier.at >= step.at:
                break
            if step.tier == self.baseline and earlier.tier != self.baseline:
                continue
            passes = earlier.does is Does.PASS and earlier.tier == step.tier and step.does is not Does.PASS
            differs = {earlier.does, step.does} == {Does.ALLOW, Does.DENY}
            if (passes or differs) and self._overlap(earlier, step):
                found.append(earlier)
        return found

    def _is_hidden(self, step: Step) -> bool:
        """Say whether an earlier tier may settle what *step* speaks of without any rule."""
        if step.tier == self.baseline:
            return False
        ends = Does.ALLOW if step.does is Does.DENY else Does.DENY
        return any(
            tier.otherwise is ends and step.rule.direction in policy.isolates and self._share(policy.subject, step.subject)
            for tier in self.stack.tiers[: step.tier]
            for policy in tier.policies
        )

    def _overlap(self, one: Step, other: Step) -> bool:
        if not one.spoken & other.spoken:
            return False
        mine, theirs = self.namespaced[id(one.policy)], self.namespaced[id(other.policy)]
        if mine is not None and theirs is not None and not mine & theirs:
            return False
        return self._share(one.subject, other.subject) and self._share(one.peer, other.peer)

    def _share(self, one: Formula, other: Formula) -> bool:
        known = self._meet.get((one, other))
        if known is None:
            self._asked += 1
            known = self._meet[one, other] = self._asked > _QUESTIONS or meets(one, other)
        return known

    # --- what does not go together ------------------------------------------------------------------------------------

    def _wrong(self, chosen: list[Step]) -> set[int]:
        """Return chosen rules that cannot be said with the others; none where all can."""
        numbers = {step.at for step in chosen}
        wrong = {step.at for step in chosen if step.tier == self.baseline and self._is_cut_off(step, numbers)}
        for step in chosen:
            if step.tier == self.baseline or self._is_turned(step):
                continue
            passing = (
                s for s in chosen if s.does is Does.PASS and s.tier < step.tier and s.rule.direction is step.rule.direction
            )
            if any(self._overlap(s, step) for s in passing):
                wrong.add(step.at)
        return wrong or self._crowded(chosen)

    def _crowded(self, chosen: list[Step]) -> set[int]:
        """Return the rules for which the agent has no room around every address, beside those that come before them."""
        crowds: dict[int, int] = {}
        fitting: list[Step] = []
        levels = self._levels(chosen)
        wrong = {step.at for step in chosen if levels[step.at] > HIGHEST}
        for step in chosen:
            near: dict[int, int] = {}
            own = self._slots(step, step)
            for other in fitting:
                added, back = self._slots(step, other), self._slots(other, step)
                own += added
                if own > SLOTS or crowds[other.at] + back > SLOTS:
                    wrong.add(step.at)
                    break
                near[other.at] = back
            else:
                for at, back in near.items():
                    crowds[at] += back
                crowds[step.at] = own
                fitting.append(step)
        return wrong

    def _is_cut_off(self, step: Step, chosen: set[int]) -> bool:
        """Say whether what is left for NetworkPolicies may keep connections from a rule of the Baseline tier, or change them."""
        for other in self.of[step.rule.direction]:
            if other.does is Does.DENY and other.at not in chosen and self._share(other.subject, step.subject):
                # Its pods get a NetworkPolicy, and the Baseline tier is not asked any more.
                return True
            if other.tier < step.tier and self._leads_past(other, chosen) and self._overlap(other, step):
                return True
        return False

    def _leads_past(self, other: Step, chosen: set[int]) -> bool:
        """Say whether a rule of an earlier tier may let through, or pass on, what the agent then asks no Baseline tier about."""
        direction, tier = other.rule.direction, self.stack.tiers[other.tier]
        if other.does is Does.PASS:
            closes = tier.otherwise in {Does.DENY, Does.ALLOW} and any(direction in p.isolates for p in tier.policies)
            return other.at not in chosen or closes
        opens = direction not in other.policy.isolates or tier.otherwise is not Does.DENY
        return other.does is Does.ALLOW and other.at not in chosen and opens

    def _slots(self, one: Step, other: Step) -> int:
        """Return how many entries *other* may add around an address of a pod that *one* speaks of."""
        mine = self._words[one.at]
        return sum(theirs.slots for theirs in self._words[other.at] if any(self._is_near(own, theirs) for own in mine))

    def _is_near(self, mine: ClusterRule, theirs: ClusterRule) -> bool:
        same = mine.direction is theirs.direction
        return same and self._share(mine.subject, theirs.subject) and self._share(mine.peer, theirs.peer)

    # --- the outcome --------------------------------------------------------------------------------------------------

    def _levels(self, chosen: Iterable[Step]) -> dict[int, int]:
        """Return at which level each rule is asked: behind all earlier ones that do something else with what both match."""
        levels: dict[int, int] = {}
        asked: list[Step] = []
        for step in sorted(chosen, key=lambda s: s.at):
            # What is denied at the other end is denied whatever else is said there.
            levels[step.at] = (
                0 if self._is_turned(step) else 1 + max((levels[s.at] for s in asked if self._yields(step, s)), default=0)
            )
            asked += [] if self._is_turned(step) else [step]
        return levels

    def _yields(self, step: Step, earlier: Step) -> bool:
        same = earlier.rule.direction is step.rule.direction and (earlier.tier == self.baseline) is (step.tier == self.baseline)
        return same and earlier.does is not step.does and self._overlap(earlier, step)

    def _placed(self, chosen: Iterable[Step]) -> Iterator[Placed]:
        chosen = tuple(chosen)
        levels = self._levels(chosen)
        for step in chosen:
            tier = BASELINE if step.tier == self.baseline else ADMIN
            yield Placed(step, tier, levels[step.at], self._words[step.at])
