"""Combinations of labels that policies tell apart: one of each that pods of today's namespaces could bear.

Pods are alike where every formula answers alike for them. So namespaces and service accounts, then one label key after the other,
are gone through: each value that is asked for, some other value, and none. What is left of every formula then (`_left`) says
whether two pods can still be told apart; those that cannot are one combination from there on, and are never multiplied out.

What a formula asks besides labels and names (addresses, the node) is left in it, and which namespace a pod is in where that is
compared with the other end's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from itertools import chain, count, islice, product
from typing import NamedTuple, TypeVar

from eksnetpol.policy.stacks.algebra import atoms, simplified
from eksnetpol.policy.stacks.clauses import NAME_LABEL, met_by
from eksnetpol.policy.stacks.ends import DEFAULT_ACCOUNT
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
    SameNamespace,
    Scope,
    Test,
    Unknowable,
)
from eksnetpol.policy.world import World

T = TypeVar("T")

_LONGEST = 63
"""Of a label's value, in characters."""

_FORMULAS = 3_000
"""Of more different formulas there are too many combinations."""

_OTHERS = 20
"""So many names are tried for a value that nobody asks for."""

_TEXTS = (Test.STARTS, Test.CONTAINS, Test.ENDS)

_EFFORT = 400_000
"""So many formulas are looked at, each as often as it is, before combinations count as too many."""


class Likeness(NamedTuple):
    """A pod that could be: its namespace, service account and labels."""

    namespace: str
    account: str
    labels: tuple[tuple[str, str], ...]


class TooManyCombinationsError(ValueError):
    """There are more combinations than were asked for, or finding them takes too long."""


class _State(NamedTuple):
    """What is left of all formulas: those that are true whatever follows, as bits, and those that are open, by number."""

    true: int
    open: tuple[tuple[int, Formula], ...]


class Combinations:
    """The combinations that *formulas* tell apart in the namespaces of *world*."""

    def __init__(self, world: World, formulas: Iterable[Formula]) -> None:
        self.world = world
        # Of what nobody goes through, not all need be known: one more than can be looked at is enough to say so.
        self.formulas = tuple(islice(unlike(map(simplified, formulas)), _FORMULAS + 1))
        self._left = _EFFORT
        self._labels: dict[Formula, dict[str, list[Label]]] = {}
        self._known: dict[tuple[Formula, str, str | None], Formula] = {}

    def all(self, most: int) -> dict[_State, Likeness]:
        """Return a pod of each combination, by what the formulas make of it.

        Raises `TooManyCombinationsError` where there are more than *most*.
        """
        if len(self.formulas) > _FORMULAS:
            raise TooManyCombinationsError
        found: dict[_State, Likeness] = {}
        for namespace in self.namespaces:
            for account in self._accounts(namespace):
                found.setdefault(self._begun(namespace, account), Likeness(namespace, account, ()))
        for key in self._keys:
            after: dict[_State, Likeness] = {}
            for state, pod in found.items():
                for value in self._told_apart(state, key):
                    labels = pod.labels if value is None else (*pod.labels, (key, value))
                    after.setdefault(self._next(state, key, value), pod._replace(labels=labels))
                if len(after) > most:
                    raise TooManyCombinationsError
            found = after
        if len(found) > most:
            raise TooManyCombinationsError
        return found

    def state(self, pod: Likeness) -> _State:
        """Return what the formulas make of one pod."""
        state, labels = self._begun(pod.namespace, pod.account), dict(pod.labels)
        for key in self._keys:
            state = self._next(state, key, labels.get(key))
        return state

    @cached_property
    def namespaces(self) -> Mapping[str, Mapping[str, str]]:
        """The namespaces of today, with their labels."""
        return dict(self.world.namespace_labels) or {p.namespace: {} for p in self.world.pods}

    # --- what is asked ------------------------------------------------------------------------------------------------

    @cached_property
    def _asked(self) -> frozenset[Atom]:
        return frozenset[Atom]().union(*map(atoms, self.formulas))

    @cached_property
    def _keys(self) -> list[str]:
        return sorted({a.key for a in self._asked if isinstance(a, Label) and a.scope is Scope.POD})

    def _labels_in(self, formula: Formula) -> Mapping[str, list[Label]]:
        """Return what a formula asks of labels of pods, by key."""
        known = self._labels.get(formula)
        if known is None:
            known = self._labels[formula] = {}
            for atom in atoms(formula):
                if isinstance(atom, Label) and atom.scope is Scope.POD:
                    known.setdefault(atom.key, []).append(atom)
        return known

    def _accounts(self, namespace: str) -> list[str]:
        asked = [a for a in self._asked if isinstance(a, Label | Named) and a.scope is Scope.ACCOUNT]
        if not asked:
            return [""]
        named = {name for a in asked if isinstance(a, Named) for name in a.names}
        other = next(name for number in count() if (name := f"other{number or ''}") not in named)
        own = (name for space, name in self.world.account_labels if space == namespace)
        return list(dict.fromkeys(("", *own, *sorted(named), other)))

    def _told_apart(self, state: _State, key: str) -> Iterator[str | None]:
        """Yield values of a label that what is left open tells apart, and perhaps some that it does not; None is no label."""
        asked = dict.fromkeys(a for _, formula in state.open for a in self._labels_in(formula).get(key, ()))
        yield None
        if asked:
            yield from values_of(sorted(asked, key=str))

    # --- step by step -------------------------------------------------------------------------------------------------

    def _begun(self, namespace: str, account: str) -> _State:
        labels = {NAME_LABEL: namespace} | dict(self.namespaces.get(namespace, {}))
        own = account or DEFAULT_ACCOUNT
        of_account = self.world.account_labels.get((namespace, own), {})

        def answer(atom: Atom) -> bool | Formula:
            match atom:
                case Is():
                    return EndKind.POD in atom.kinds
                case Named():
                    return (own if atom.scope is Scope.ACCOUNT else namespace) in atom.names
                case Label(scope=Scope.NAMESPACE | Scope.ACCOUNT):
                    value = (labels if atom.scope is Scope.NAMESPACE else of_account).get(atom.key)
                    return value is not None and met_by(atom, value)
                case SameNamespace():
                    beside = [labels.get(key) for key in atom.keys] if atom.keys else [namespace]
                    # With a namespace without one of these labels, none is the same.
                    return None not in beside and Unknowable(f"in a namespace like {beside}")
                case _:
                    return atom

        return self._state(0, ((at, _left(formula, answer)) for at, formula in enumerate(self.formulas)))

    def _next(self, state: _State, key: str, value: str | None) -> _State:
        return self._state(state.true, ((at, self._without(formula, key, value)) for at, formula in state.open))

    def _without(self, formula: Formula, key: str, value: str | None) -> Formula:
        """Return what is left of a formula for pods with a *value* of a label; None for pods without the label."""
        if key not in self._labels_in(formula):
            return formula
        asked = formula, key, value
        known = self._known.get(asked)
        if known is None:

            def answer(atom: Atom) -> bool | Formula:
                if isinstance(atom, Label) and atom.scope is Scope.POD and atom.key == key:
                    return value is not None and met_by(atom, value)
                return atom

            known = self._known[asked] = _left(formula, answer)
        return known

    def _state(self, true: int, left: Iterable[tuple[int, Formula]]) -> _State:
        open_: list[tuple[int, Formula]] = []
        for at, formula in left:
            self._left -= 1
            if formula == EVERYBODY:
                true |= 1 << at
            elif formula != NOBODY:
                open_.append((at, formula))
        if self._left < 0:
            raise TooManyCombinationsError
        return _State(true, tuple(open_))


def unlike(found: Iterable[T]) -> Iterator[T]:
    """Yield each once, as they come: where only the first few are asked for, no more are made."""
    seen: set[T] = set()
    for one in found:
        if one not in seen:
            seen.add(one)
            yield one


def values_of(asked: Iterable[Label]) -> Iterator[str]:
    """Yield a value of one label for each answer that the atoms *asked* give together: those named, some other, and texts.

    Where texts are asked for (begins with, ends in, contains), values are put together from these and a letter in none of them.
    """
    asked = tuple(asked)
    named = {value: None for atom in asked for value in sorted(atom.values)}
    letters = {letter for value in named for letter in value}
    filler = next((letter for letter in "0123456789zyxwvutsrqponmlkjihgfedcba" if letter not in letters), "")
    answers: set[tuple[bool, ...]] = set()
    for value in chain(named, _texts(asked, filler), (f"other{end}" for end in ("", *range(_OTHERS))), (filler,)):
        answer = tuple(met_by(atom, value) for atom in asked)
        if answer not in answers and len(value) <= _LONGEST:
            answers.add(answer)
            yield value


def _texts(asked: Iterable[Label], filler: str) -> Iterator[str]:
    tests = [{text: None for atom in asked if atom.test is test for text in sorted(atom.values)} for test in _TEXTS]
    if any(tests):
        starts, contained, ends = tests
        inner = dict.fromkeys(map("".join, product(("", *contained), ("", filler), ("", *contained))))
        yield from map("".join, product(("", *starts), ("", filler), inner, ("", filler), ("", *ends)))


def _left(formula: Formula, answer: Callable[[Atom], bool | Formula]) -> Formula:
    """Return what is left of *formula* where some of its atoms are answered; an atom that is not is its own answer."""
    match formula:
        case Not():
            part = _left(formula.part, answer)
            return NOBODY if part == EVERYBODY else EVERYBODY if part == NOBODY else Not(part)
        case And() | Or():
            settles, goes_on = (NOBODY, EVERYBODY) if isinstance(formula, And) else (EVERYBODY, NOBODY)
            parts: dict[Formula, None] = {}
            for one in formula.parts:
                part = _left(one, answer)
                if part == settles:
                    return settles
                if part != goes_on:
                    parts[part] = None
            if len(parts) <= 1:
                return next(iter(parts), goes_on)
            return And(tuple(parts)) if isinstance(formula, And) else Or(tuple(parts))
        case _:
            found = answer(formula)
            return found if not isinstance(found, bool) else EVERYBODY if found else NOBODY
