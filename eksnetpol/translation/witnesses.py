"""Pods that do not exist, one for each combination of labels that policies tell apart, as far as a few of them show it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice

from eksnetpol.model.kubernetes import Pod
from eksnetpol.policy.parties import planned
from eksnetpol.policy.stacks.algebra import Clause, TooMany, atoms, clauses, conjunction, negation
from eksnetpol.policy.stacks.clauses import met_by
from eksnetpol.policy.stacks.formulas import EndKind, Formula, Is, Label, Named, Scope, Test
from eksnetpol.policy.stacks.rules import Stack
from eksnetpol.policy.world import World

_MOST = 160
_PER_FORMULA = 6
_OTHER = "other"


def planned_pods(stack: Stack, world: World, most: int = _MOST) -> tuple[Pod, ...]:
    """Return pods that meet, and ones that just fail to meet, what subjects and peers of *stack* ask of labels."""
    namespaces = dict(world.namespace_labels) or {p.namespace: {} for p in world.pods}
    wanted = islice(dict.fromkeys(_wanted(stack, namespaces)), most)
    return tuple(p.pod for p in planned(((ns, dict(labels)) for ns, labels in wanted), world))


def _wanted(stack: Stack, namespaces: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[str, tuple[tuple[str, str], ...]]]:
    formulas: dict[Formula, None] = {}
    for tier in stack.tiers:
        for policy in tier.policies:
            formulas[policy.subject] = None
            formulas |= dict.fromkeys(rule.peer for rule in policy.rules)
    pods = Is(frozenset({EndKind.POD}))
    seen: set[Formula] = set()
    for formula in formulas:
        for one in (formula, *(negation(a) for a in sorted(atoms(formula), key=str) if isinstance(a, Label))):
            if one in seen:
                continue
            seen.add(one)
            try:
                found = clauses(conjunction(pods, one), _PER_FORMULA * 8)
            except TooMany:
                continue
            for clause in found[:_PER_FORMULA]:
                yield from _pods(clause, namespaces)


def _pods(clause: Clause, namespaces: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[str, tuple[tuple[str, str], ...]]]:
    labels: dict[str, str] = {}
    for atom in clause.holds:
        if isinstance(atom, Label) and atom.scope is Scope.POD:
            labels[atom.key] = _value(atom)
    for name, own in namespaces.items():
        if _fits(clause, name, own):
            yield name, tuple(sorted(labels.items()))
            return


def _value(label: Label) -> str:
    if label.test is Test.EXISTS or not label.values:
        return _OTHER
    return "".join(sorted(label.values)[:1])


def _fits(clause: Clause, name: str, labels: Mapping[str, str]) -> bool:
    own = {"kubernetes.io/metadata.name": name} | dict(labels)
    for wanted, many in ((True, clause.holds), (False, clause.fails)):
        for atom in many:
            match atom:
                case Named(Scope.NAMESPACE):
                    if (name in atom.names) is not wanted:
                        return False
                case Label(Scope.NAMESPACE):
                    value = own.get(atom.key)
                    if (value is not None and met_by(atom, value)) is not wanted:
                        return False
    return True
