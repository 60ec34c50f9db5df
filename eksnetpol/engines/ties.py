"""Policies of equal priority: where an engine leaves open which is asked first, and both speak of one connection.

Nobody can tell which of them decides, so that the one is put before the other with a condition that nobody knows, and behind it
without one: what both speak of may then go either way, and all else is as certain as before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations, count, product

from eksnetpol.engines.kubernetes_policies import all_of, any_of
from eksnetpol.policy.connections import EVERYTHING
from eksnetpol.policy.ports import EVERY_PORT
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.stacks.algebra import meets
from eksnetpol.policy.stacks.formulas import EVERYBODY, And, Formula, Label, Named, Not, Test, Unknowable
from eksnetpol.policy.stacks.rules import StackPolicy, StackRule

_QUESTIONS = 20_000
"""So many pairs of rules of equal priority are looked at; beyond, all that do different things count as ones that meet."""

_PARTS = 32
"""Into so many parts a rule is cut at most by those before it."""

_FEW = 8
"""So few policies are not told apart any further before they are looked at in pairs."""


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
        leads = list(range(len(wholes)))

        def lead(at: int) -> int:
            while leads[at] != at:
                leads[at] = at = leads[leads[at]]
            return at

        for one, other in _near(wholes):
            first, second = sorted((lead(one), lead(other)))
            if first != second and self._conflicts(wholes[one], wholes[other]):
                leads[second] = first
        groups: dict[int, list[Sequence[StackPolicy]]] = {}
        for at, steps in enumerate(policies):
            groups.setdefault(lead(at), []).append(steps)
        return list(groups.values())

    def _in_any_order(self, policies: Sequence[StackPolicy]) -> Iterator[StackPolicy]:
        behind: dict[int, dict[int, frozenset[Direction]]] = {}
        for pair in _near(policies):
            one, other = sorted(pair)
            directions = self._conflicts(policies[one], policies[other])
            if directions:
                behind.setdefault(one, {})[other] = directions
        later: list[StackPolicy] = []
        for at, policy in enumerate(policies):
            rivals = behind.get(at, {})
            if not rivals:
                yield policy
                continue
            either = frozenset[Direction]().union(*rivals.values())
            yield replace(policy, rules=tuple(self._perhaps(policy, [policies[other] for other in sorted(rivals)], either)))
            later.append(replace(policy, rules=tuple(r for r in policy.rules if r.direction in either)))
        yield from reversed(later)

    def _perhaps(self, policy: StackPolicy, rivals: Sequence[StackPolicy], either: frozenset[Direction]) -> Iterator[StackRule]:
        """Yield the rules of *policy*, those of the directions *either* on the condition that it is asked before its *rivals*.

        Each of these is left without what rules before it settle: a rule that perhaps is not asked must not uncover the next one.
        """
        others = ", ".join(dict.fromkeys(str(rival.ref) for rival in rivals))
        unsure = Unknowable(f"whether {policy.ref} or {others}, of equal priority, is asked first")
        shared = any_of(dict.fromkeys(rival.subject for rival in rivals))
        before: list[StackRule] = []
        for rule in policy.rules:
            if rule.direction not in either:
                yield rule
                continue
            for part in self._less(rule, before):
                yield replace(part, peer=all_of((part.peer, unsure)), local=all_of((part.local, shared)))
            before.append(rule)

    def _less(self, rule: StackRule, before: Iterable[StackRule]) -> list[StackRule]:
        """Return *rule* in parts without what rules *before* it settle otherwise, as far as that can be told of few parts."""
        parts = [rule]
        for other in before:
            if other.direction is not rule.direction or other.does is rule.does or not _is_plain(other):
                continue
            left: list[StackRule] = []
            for part in parts:
                left += _without(part, other) if self._meet(part.peer, other.peer) else (part,)
            if len(left) > _PARTS:
                break
            parts = left
        return parts

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


def _is_plain(rule: StackRule) -> bool:
    """Say whether peers and ports alone tell what a rule matches."""
    return rule.local == EVERYBODY and rule.source_ports == EVERY_PORT


def _without(rule: StackRule, other: StackRule) -> Iterator[StackRule]:
    """Yield what is left of *rule* without what *other* matches by the numbers of ports."""
    inside, outside = rule.connections & other.connections, rule.connections - other.connections
    elsewhere = all_of((rule.peer, Not(other.peer)))
    # A port by name may be any.
    names = () if other.connections == EVERYTHING else rule.names
    if outside or names:
        yield replace(rule, connections=outside, names=names)
    if inside or len(names) < len(rule.names):
        yield replace(rule, peer=elsewhere, connections=inside, names=() if names else rule.names)


_Facts = dict[object, frozenset[str]]
"""By label or name: the values of which a pod must have one to be meant."""


def _near(policies: Sequence[StackPolicy]) -> Iterator[tuple[int, int]]:
    """Yield the pairs of policies that may hold for one pod, as far as labels tell that all of their subject must have.

    Policies are told apart by the label that most of them ask for, then by the next one: few pairs of many are looked at.
    """
    facts = [_facts(policy.subject) for policy in policies]
    waiting: list[tuple[list[int], frozenset[object]]] = [(list(range(len(policies))), frozenset())]
    while waiting:
        together, told = waiting.pop()
        counted = Counter(about for at in together for about in facts[at] if about not in told)
        if len(together) < _FEW or not counted:
            yield from combinations(together, 2)
            continue
        about = max(counted, key=lambda one: (counted[one], str(one)))
        by_value: dict[str, list[int]] = {}
        for at in together:
            for value in facts[at].get(about, ()):
                by_value.setdefault(value, []).append(at)
        # Those that do not ask for it may meet all.
        rest = [at for at in together if about not in facts[at]]
        waiting += [(some, told | {about}) for some in by_value.values()]
        waiting.append((rest, told | {about}))
        yield from product(rest, (at for at in together if about in facts[at]))


def _facts(subject: Formula) -> _Facts:
    found: _Facts = {}
    for part in subject.parts if isinstance(subject, And) else (subject,):
        match part:
            case Label(scope, key, Test.IN, values):
                found[scope, key] = found.get((scope, key), values) & values
            case Named(scope, names):
                found[scope] = found.get(scope, names) & names
    return found


def joined(steps: Sequence[StackPolicy]) -> StackPolicy:
    """Return the steps of one policy as one."""
    return replace(steps[0], rules=tuple(rule for step in steps for rule in step.rules))
