"""Policies of equal priority: where an engine leaves open which is asked first, and both speak of one connection.

Nobody can tell which of them decides, so that the one is put before the other with a condition that nobody knows, and behind it
without one: what both speak of may then go either way, and all else is as certain as before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count

from eksnetpol.engines.kubernetes_policies import all_of
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.stacks.algebra import meets
from eksnetpol.policy.stacks.formulas import Formula, Unknowable
from eksnetpol.policy.stacks.rules import StackPolicy, StackRule

_QUESTIONS = 50_000
"""So many pairs of rules of equal priority are looked at; beyond, all that do different things count as ones that meet."""


class Ties:
    """Finds and orders policies of equal priority."""

    def __init__(self) -> None:
        self._asked = count()
        self._known: dict[tuple[Formula, Formula], bool] = {}

    def by_policy(self, policies: Sequence[StackPolicy]) -> Iterator[StackPolicy]:
        """Yield *policies*, of which an engine asks one whole policy after the other, in whichever order."""
        yield from self._in_any_order(policies)

    def by_rule(self, policies: Sequence[Sequence[StackPolicy]]) -> Iterator[StackPolicy]:
        """Yield policies, each given as its steps, of which an engine asks all first steps, then all second ones, and so on.

        Those that get in nobody's way stay whole: their steps follow one another.
        """
        for together in self._entangled(policies):
            if len(together) == 1:
                yield joined(together[0])
                continue
            for at in range(max(map(len, together))):
                yield from self._in_any_order([steps[at] for steps in together if at < len(steps)])

    def _entangled(self, policies: Sequence[Sequence[StackPolicy]]) -> list[list[Sequence[StackPolicy]]]:
        """Return *policies* in groups, so that none is in the way of one of another group."""
        wholes = [joined(steps) for steps in policies]
        groups: list[list[int]] = []
        for at, whole in enumerate(wholes):
            mine = [at]
            rest = []
            for group in groups:
                if any(self._conflicts(whole, wholes[other]) for other in group):
                    mine += group
                else:
                    rest.append(group)
            groups = [*rest, sorted(mine)]
        return [[policies[at] for at in group] for group in sorted(groups)]

    def _in_any_order(self, policies: Sequence[StackPolicy]) -> Iterator[StackPolicy]:
        later: list[StackPolicy] = []
        for at, policy in enumerate(policies):
            behind = [(other, self._conflicts(policy, other)) for other in policies[at + 1 :]]
            rivals = [(other, directions) for other, directions in behind if directions]
            if not rivals:
                yield policy
                continue
            either = frozenset[Direction]().union(*(directions for _, directions in rivals))
            others = ", ".join(dict.fromkeys(str(other.ref) for other, _ in rivals))
            unsure = Unknowable(f"whether {policy.ref} or {others}, of equal priority, is asked first")
            rules = (replace(r, peer=all_of((r.peer, unsure))) if r.direction in either else r for r in policy.rules)
            yield replace(policy, rules=tuple(rules))
            later.append(replace(policy, rules=tuple(r for r in policy.rules if r.direction in either)))
        yield from reversed(later)

    def _conflicts(self, one: StackPolicy, other: StackPolicy) -> frozenset[Direction]:
        """Return the directions in which the two may do different things to one connection."""
        if one.ref.namespace != other.ref.namespace and one.ref.namespace and other.ref.namespace:
            return frozenset()
        found: set[Direction] = set()
        for mine in one.rules:
            for theirs in other.rules:
                if mine.direction is theirs.direction and mine.does is not theirs.does and mine.direction not in found:
                    found |= {mine.direction} if self._share(one, mine, other, theirs) else set()
        return frozenset(found)

    def _share(self, one: StackPolicy, mine: StackRule, other: StackPolicy, theirs: StackRule) -> bool:
        if next(self._asked) > _QUESTIONS:
            return True
        by_name = mine.names or theirs.names
        if not by_name and not mine.connections & theirs.connections:
            return False
        ours, yours = all_of((one.subject, mine.local)), all_of((other.subject, theirs.local))
        return self._meet(ours, yours) and self._meet(mine.peer, theirs.peer)

    def _meet(self, one: Formula, other: Formula) -> bool:
        known = self._known.get((one, other))
        if known is None:
            known = self._known[one, other] = meets(one, other)
        return known


def joined(steps: Sequence[StackPolicy]) -> StackPolicy:
    """Return the steps of one policy as one."""
    return replace(steps[0], rules=tuple(rule for step in steps for rule in step.rules))
