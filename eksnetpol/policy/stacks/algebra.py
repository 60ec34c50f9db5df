"""Algebra of formulas: simpler ones that mean the same, and what can be told of them without any cluster.

Formulas are pushed to negation normal form; what can be said of them is found by looking through their clauses. `meets` and
`implies` are sound: where the search is cut short, ends may meet and nothing is implied.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from eksnetpol.policy.stacks.clauses import KINDS, NAME_LABEL, PODS, Clause, clause_of
from eksnetpol.policy.stacks.formulas import (
    EVERYBODY,
    NOBODY,
    And,
    Atom,
    EndKind,
    Formula,
    Is,
    Label,
    Named,
    Not,
    Or,
    Scope,
    Test,
    Unknowable,
    Within,
)
from eksnetpol.policy.stacks.slots import imply, meet, slots_of

__all__ = [
    "Clause",
    "TooMany",
    "Weighed",
    "atoms",
    "clauses",
    "conjunction",
    "disjunction",
    "implies",
    "implies_any",
    "is_everybody",
    "is_nobody",
    "meets",
    "negation",
    "simplified",
    "weighed",
    "weighed_clauses",
]

_CONDITIONS = 200_000
"""So many atoms are looked at, counted in each clause, before a question counts as one that cannot be told."""


class TooMany(ValueError):
    """A formula comes to more clauses than were asked for. ``limit`` is how many that is."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"comes to more than {limit} combinations of conditions")
        self.limit = limit


# --- simpler formulas -------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1 << 15)
def simplified(formula: Formula) -> Formula:
    """Return a shorter formula that means the same: negations at the leaves, nothing said twice, contradictions gone."""
    return _pushed(formula, wanted=True)


@lru_cache(maxsize=1 << 15)
def negation(formula: Formula) -> Formula:
    """Return whoever *formula* does not mean, with negations pushed to the leaves."""
    return _pushed(formula, wanted=False)


def conjunction(*formulas: Formula) -> Formula:
    """Return whoever all of *formulas* mean; of none, everybody."""
    return _all(map(simplified, formulas))


def disjunction(*formulas: Formula) -> Formula:
    """Return whoever any of *formulas* means; of none, nobody."""
    return _any(map(simplified, formulas))


def _pushed(formula: Formula, *, wanted: bool) -> Formula:
    match formula:
        case Not():
            return _pushed(formula.part, wanted=not wanted)
        case And():
            parts = (_pushed(p, wanted=wanted) for p in formula.parts)
            return _all(parts) if wanted else _any(parts)
        case Or():
            parts = (_pushed(p, wanted=wanted) for p in formula.parts)
            return _any(parts) if wanted else _all(parts)
        case Is():
            kinds = formula.kinds if wanted else KINDS - formula.kinds
            return EVERYBODY if kinds == KINDS else Is(kinds) if kinds else NOBODY
        case _:
            atom = _atom(formula)
            if atom == NOBODY:
                return NOBODY if wanted else EVERYBODY
            return atom if wanted else Not(atom)


def _atom(atom: Atom) -> Formula:
    match atom:
        case Label(test=Test.IN, values=nothing) | Named(names=nothing) | Within(networks=nothing) if not nothing:
            return NOBODY
        case Label(test=Test.CONTAINS | Test.STARTS | Test.ENDS) if not any(atom.values):
            # Every text begins with, ends in and contains the empty one.
            return Label(atom.scope, atom.key, Test.EXISTS)
        case _:
            return atom


def _all(formulas: Iterable[Formula]) -> Formula:
    parts: dict[Formula, None] = {}
    for formula in formulas:
        parts |= dict.fromkeys(formula.parts if isinstance(formula, And) else (formula,))
    if len(parts) <= 1:
        return next(iter(parts), EVERYBODY)
    if NOBODY in parts or _contradict(parts):
        return NOBODY
    parts = dict.fromkeys(_gathered(parts, meeting=True))
    if NOBODY in parts:
        return NOBODY
    # What is wanted anyway makes an alternative of it say nothing new.
    left = [p for p in parts if not (isinstance(p, Or) and any(q in parts for q in p.parts))]
    return left[0] if len(left) == 1 else And(tuple(left)) if left else EVERYBODY


def _any(formulas: Iterable[Formula]) -> Formula:
    parts: dict[Formula, None] = {}
    for formula in formulas:
        parts |= dict.fromkeys(formula.parts if isinstance(formula, Or) else (formula,))
    if len(parts) <= 1:
        return next(iter(parts), NOBODY)
    if EVERYBODY in parts or _contradict(parts):
        return EVERYBODY
    parts = dict.fromkeys(_gathered(parts, meeting=False))
    if EVERYBODY in parts:
        return EVERYBODY
    left = [p for p in parts if not (isinstance(p, And) and any(q in parts for q in p.parts))]
    return left[0] if len(left) == 1 else Or(tuple(left)) if left else NOBODY


def _contradict(parts: Collection[Formula]) -> bool:
    """Say whether something and its opposite are both among *parts*; what nobody can know has no opposite."""
    return any(isinstance(p, Not) and p.part in parts and not isinstance(p.part, Unknowable) for p in parts)


def _gathered(parts: Iterable[Formula], *, meeting: bool) -> Iterator[Formula]:
    """Yield *parts* with lists about one label, name or kind made into one list: what they share, or all they have."""
    lists: dict[object, list[Formula]] = {}
    rest: list[Formula] = []
    for part in parts:
        about = _about(part)
        if about is None:
            rest.append(part)
        else:
            lists.setdefault(about, []).append(part)
    for alike in lists.values():
        yield alike[0] if len(alike) == 1 else simplified(_together(alike, meeting=meeting))
    yield from rest


def _about(part: Formula) -> object:
    """Return what an atom that lists what may be is about; None for any other."""
    match part:
        case Label(scope, key, Test.IN):
            return scope, key
        case Named(scope):
            return scope
        case Is():
            return Is
        case _:
            return None


def _together(alike: list[Formula], *, meeting: bool) -> Formula:
    values = [frozenset[str](p.values if isinstance(p, Label) else p.names if isinstance(p, Named) else _kinds(p)) for p in alike]
    some = frozenset.intersection(*values) if meeting else frozenset[str]().union(*values)
    match alike[0]:
        case Label(scope, key, test):
            return Label(scope, key, test, some)
        case Named(scope):
            return Named(scope, some)
        case _:
            return Is(frozenset(map(EndKind, some)))


def _kinds(part: Formula) -> frozenset[EndKind]:
    return part.kinds if isinstance(part, Is) else frozenset()


# --- clauses ----------------------------------------------------------------------------------------------------------


def atoms(formula: Formula) -> frozenset[Atom]:
    """Return the atoms of *formula*."""
    match formula:
        case And() | Or():
            return frozenset[Atom]().union(*map(atoms, formula.parts))
        case Not():
            return atoms(formula.part)
        case _:
            return frozenset({formula})


def clauses(formula: Formula, limit: int) -> tuple[Clause, ...]:
    """Return clauses that together mean the ends of *formula*; each is possible, and none is part of another.

    Raises `TooMany` where there are more than *limit*.
    """
    found, _ = weighed_clauses(formula, limit)
    if found is None:
        raise TooMany(limit)
    return found


@lru_cache(maxsize=1 << 15)
def weighed_clauses(formula: Formula, limit: int) -> tuple[tuple[Clause, ...] | None, int]:
    """Return `clauses`, None where there are too many, and how many atoms were looked at, each as often as it was."""
    formula = simplified(formula)
    parts = formula.parts if isinstance(formula, And) else (formula,)
    if limit and _surely_some(parts):
        return (_plain(parts),), len(parts)
    found: dict[Clause, None] = {}
    effort = _Effort(_CONDITIONS)
    try:
        for clause in _clauses(formula, effort):
            if any(other.covers(clause) for other in found):
                continue
            found = {other: None for other in found if not clause.covers(other)} | {clause: None}
            if len(found) > limit:
                return None, _CONDITIONS - effort.left
    except TooMany:
        return None, _CONDITIONS
    return tuple(found), _CONDITIONS - effort.left


def _plain(parts: Iterable[Formula]) -> Clause:
    """Return the one clause of *parts* of which `_surely_some` is true: each stays as it is written."""
    kinds, asked = KINDS, []
    for part in parts:
        if isinstance(part, Is):
            kinds &= part.kinds
        elif isinstance(part, Label | Named):
            asked.append(part)
    return Clause(kinds & PODS if asked else kinds, tuple(asked))


class _Effort:
    """How many atoms may still be looked at."""

    def __init__(self, limit: int) -> None:
        self.limit = self.left = limit


def _clauses(formula: Formula, effort: _Effort) -> Iterator[Clause]:
    """Yield the possible clauses of a formula in negation normal form; raise `TooMany` where that is too much *effort*."""
    waiting: list[tuple[tuple[Atom, ...], tuple[Atom, ...], tuple[Formula, ...]]] = [((), (), (formula,))]
    while waiting:
        held, failing, open_ = waiting.pop()
        holds, fails = list(held), list(failing)
        branches: Or | None = None
        later: list[Formula] = []
        todo = list(reversed(open_))
        while todo:
            part = todo.pop()
            match part:
                case And():
                    todo += reversed(part.parts)
                case Or():
                    if branches is None:
                        branches = part
                    else:
                        later.append(part)
                case Not():
                    # In negation normal form it stands before atoms alone.
                    fails += atoms(part.part)
                case _:
                    holds.append(part)
        effort.left -= 1 + len(holds) + len(fails) + len(later)
        if effort.left < 0:
            raise TooMany(effort.limit)
        clause = clause_of(holds, fails)
        if clause is None:
            continue
        if branches is None:
            yield clause
        else:
            rest = tuple(later)
            waiting += ((tuple(holds), tuple(fails), (branch, *rest)) for branch in reversed(branches.parts))


# --- questions --------------------------------------------------------------------------------------------------------


class Weighed(NamedTuple):
    """Whether surely no end can satisfy a formula, and how many atoms were looked at to tell, each as often as it was."""

    is_nobody: bool
    weight: int


@lru_cache(maxsize=1 << 16)
def weighed(formula: Formula) -> Weighed:
    """Return whether *formula* means nobody, with the same weight whether or not it is known already."""
    parts = formula.parts if isinstance(formula, And) else (formula,)
    if _surely_some(parts):
        return Weighed(is_nobody=False, weight=len(parts))
    effort = _Effort(_CONDITIONS)
    try:
        found = next(_clauses(simplified(formula), effort), None) is None
    except TooMany:
        found = False
    return Weighed(found, _CONDITIONS - effort.left)


def _surely_some(parts: tuple[Formula, ...]) -> bool:
    """Say whether *parts* ask for other labels and names each, of pods: most selectors do, and then there can be such pods."""
    seen: set[object] = set()
    for part in parts:
        about: object
        match part:
            case Label(scope, key, Test.IN | Test.EXISTS) if part.values or part.test is Test.EXISTS:
                if (scope, key) == (Scope.NAMESPACE, NAME_LABEL):
                    # It is the namespace's name, of which there are other ways to ask.
                    return False
                about = scope, key
            case Named(scope, names) if names:
                about = scope
            case Is(kinds) if kinds & PODS:
                about = Is
            case _:
                return False
        if about in seen:
            return False
        seen.add(about)
    return True


def is_nobody(formula: Formula) -> bool:
    """Say whether surely no end can satisfy *formula*."""
    return weighed(formula).is_nobody


def is_everybody(formula: Formula) -> bool:
    """Say whether surely every end satisfies *formula*."""
    return is_nobody(negation(formula))


def meets(one: Formula, other: Formula) -> bool:
    """Say whether some end can satisfy both; True as well where that cannot be told."""
    plain = slots_of(one), slots_of(other)
    if plain[0] is not None and plain[1] is not None:
        return meet(plain[0], plain[1])
    return not is_nobody(conjunction(one, other))


def implies(one: Formula, other: Formula) -> bool:
    """Say whether every end that satisfies *one* satisfies *other*; False as well where that cannot be told."""
    if other in {one, EVERYBODY}:
        return True
    plain = slots_of(one), slots_of(other)
    if plain[0] is not None and plain[1] is not None:
        return imply(plain[0], plain[1])
    return is_nobody(conjunction(one, negation(other)))


def implies_any(one: Formula, others: Collection[Formula]) -> bool:
    """Say whether one of *others* alone is implied by *one*; False as well where that cannot be told."""
    # What is there word for word needs no looking through the rest, of which there may be hundreds.
    return bool(others) and (one in others or any(implies(one, other) for other in others))
