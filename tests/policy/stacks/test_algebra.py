"""The laws of the algebra of formulas, each against what formulas say of single ends."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eksnetpol.policy.stacks.algebra import (
    TooMany,
    atoms,
    clauses,
    conjunction,
    disjunction,
    implies,
    is_everybody,
    is_nobody,
    meets,
    negation,
    simplified,
)
from eksnetpol.policy.stacks.clauses import clause_of
from eksnetpol.policy.stacks.ends import End, holds
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
    Within,
)
from tests.policy.stacks.formulas import NAME, ends, formulas, knowable, network

often = settings(max_examples=100, deadline=None)
some = settings(max_examples=60, deadline=None)


def label(key: str, *values: str, test: Test = Test.IN, scope: Scope = Scope.POD) -> Label:
    return Label(scope, key, test, frozenset(values))


def not_(answer: bool | None) -> bool | None:
    return None if answer is None else not answer


LAWS: dict[str, Callable[[Formula, Formula], tuple[Formula, Formula]]] = {
    "simplified means the same": lambda f, _: (f, simplified(f)),
    "double negation": lambda f, _: (f, negation(negation(f))),
    "De Morgan for all of": lambda f, g: (negation(And((f, g))), disjunction(negation(f), negation(g))),
    "De Morgan for any of": lambda f, g: (negation(Or((f, g))), conjunction(negation(f), negation(g))),
    "negation is not": lambda f, _: (Not(f), negation(f)),
    "conjunction is and": lambda f, g: (And((f, g)), conjunction(f, g)),
    "disjunction is or": lambda f, g: (Or((f, g)), disjunction(f, g)),
    "distribution": lambda f, g: (conjunction(f, Or((f, g))), f),
}


@pytest.mark.parametrize("law", LAWS)
def test_law(law: str) -> None:
    @often
    @given(knowable, knowable, ends(), ends())
    def check(f: Formula, g: Formula, end: End, other: End) -> None:
        one, same = LAWS[law](f, g)
        assert holds(one, end, other) == holds(same, end, other)

    check()


@often
@given(formulas, ends(), ends())
def test_what_nobody_can_know_is_made_no_more_certain_than_it_is(f: Formula, end: End, other: End) -> None:
    before, after = holds(f, end, other), holds(simplified(f), end, other)
    # Simplifying may find out (either this or nothing), and never the opposite.
    assert before is None or before == after
    assert holds(negation(f), end, other) == not_(after) or before is None


@often
@given(formulas, ends(), ends())
def test_clauses_together_are_the_formula(f: Formula, end: End, other: End) -> None:
    found = clauses(f, 400)
    answers = [holds(c.formula, end, other) for c in found]
    together = True if True in answers else None if None in answers else False
    before = holds(f, end, other)
    assert together == before or before is None
    assert all(not one.covers(two) and not two.covers(one) for one, two in combinations(found, 2))


@often
@given(formulas, st.lists(ends(), min_size=1, max_size=6), ends())
def test_nobody_and_everybody_are_sound(f: Formula, found: list[End], other: End) -> None:
    answers = [holds(f, end, other) for end in found]
    assert not (is_nobody(f) and True in answers)
    assert not (is_everybody(f) and False in answers)


@often
@given(knowable, knowable, st.lists(ends(), min_size=1, max_size=8), ends())
def test_meets_and_implies_are_sound(f: Formula, g: Formula, found: list[End], other: End) -> None:
    pairs = [(holds(f, end, other), holds(g, end, other)) for end in found]
    assert meets(f, g) or (True, True) not in pairs
    assert not implies(f, g) or (True, False) not in pairs


@some
@given(knowable, knowable)
def test_meets_and_implies_are_each_others_other_side(f: Formula, g: Formula) -> None:
    assert meets(f, g) == meets(g, f) == (not implies(f, negation(g)))
    assert implies(conjunction(f, g), f)
    assert implies(f, disjunction(f, g))
    assert simplified(simplified(f)) == simplified(f)


@some
@given(knowable)
def test_atoms_of_a_simpler_formula_are_about_nothing_else(f: Formula) -> None:
    def about(atom: object) -> object:
        return (type(atom), getattr(atom, "scope", None), getattr(atom, "key", None))

    assert {about(a) for a in atoms(simplified(f))} <= {about(a) for a in atoms(f)}


IMPOSSIBLE: dict[str, Formula] = {
    "a label with two values": And((label("app", "a"), label("app", "b"))),
    "a label that is absent and has a value": And((Not(label("app", test=Test.EXISTS)), label("app", "a"))),
    "a value that does not begin so": And((label("app", "ab", "aab"), label("app", "b", test=Test.STARTS))),
    "two beginnings": And((label("app", "a", test=Test.STARTS), label("app", "b", test=Test.STARTS))),
    "a beginning that holds what must not be": And(
        (label("app", "ab", test=Test.STARTS), Not(label("app", "b", test=Test.CONTAINS)))
    ),
    "an end that must not be": And((label("app", "xab", test=Test.ENDS), Not(label("app", "ab", test=Test.ENDS)))),
    "two namespaces": And((Named(Scope.NAMESPACE, frozenset({"shop"})), label(NAME, "bank", scope=Scope.NAMESPACE))),
    "a label of an address": And((Is(frozenset({EndKind.OUTSIDE})), label("app", test=Test.EXISTS))),
    "apart blocks": And((Within(frozenset({network("10.0.0.0/8")})), Within(frozenset({network("11.0.0.0/8")})))),
    "a block without its halves": And(
        (
            Within(frozenset({network("10.0.0.0/24")})),
            Not(Within(frozenset({network("10.0.0.0/25")}))),
            Not(Within(frozenset({network("10.0.0.128/25"), network("10.9.0.0/16")}))),
        )
    ),
    "all kinds taken away": And(tuple(Not(Is(frozenset({kind}))) for kind in EndKind)),
    "a namespace without its name, of a pod": And((Not(label(NAME, test=Test.EXISTS, scope=Scope.NAMESPACE)), label("app", "a"))),
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_impossible(name: str) -> None:
    assert is_nobody(IMPOSSIBLE[name])
    assert clauses(IMPOSSIBLE[name], 1) == ()
    assert is_everybody(Not(IMPOSSIBLE[name]))


POSSIBLE: dict[str, Formula] = {
    "another value": And((Not(label("app", "a", "b")), label("app", test=Test.EXISTS))),
    "absent": Not(label("app", "a")),
    "an address has no labels": And((Is(frozenset({EndKind.OUTSIDE})), Not(label("app", "a")))),
    "begins and ends": And((label("app", "a", test=Test.STARTS), label("app", "b", test=Test.ENDS))),
    "what is left of a block": And(
        (Within(frozenset({network("10.0.0.0/24")})), Not(Within(frozenset({network("10.0.0.0/25")}))))
    ),
    "no name of a namespace": Not(label(NAME, test=Test.EXISTS, scope=Scope.NAMESPACE)),
    "everybody": EVERYBODY,
}


@pytest.mark.parametrize("name", POSSIBLE)
def test_possible(name: str) -> None:
    assert not is_nobody(POSSIBLE[name])
    assert meets(POSSIBLE[name], EVERYBODY)
    assert not meets(POSSIBLE[name], NOBODY)


def test_a_clause_says_what_matters_once() -> None:
    f = And((label("app", "a", "b"), Not(label("app", "b")), label("app", test=Test.EXISTS), Not(label("app", "c"))))
    (clause,) = clauses(f, 1)
    assert clause.holds == (label("app", "a"),)
    assert clause.fails == ()


def test_too_many_clauses_say_how_many_are_too_many() -> None:
    f = And(tuple(Or((label(f"a{i}", "x"), label(f"b{i}", "x"))) for i in range(20)))
    with pytest.raises(TooMany, match="more than 64 combinations"):
        clauses(f, 64)
    assert meets(f, EVERYBODY)


WRITTEN: dict[str, tuple[Atom, ...]] = {
    "a label": (label("app", "a"),),
    "labels": (label("app", "a", "b"), label("tier", test=Test.EXISTS)),
    "pods of a namespace": (Is(frozenset({EndKind.POD})), Named(Scope.NAMESPACE, frozenset({"shop"})), label("app", "a")),
    "labels of all three": tuple(label("app", "a", scope=scope) for scope in Scope),
    "kinds": (Is(frozenset({EndKind.POD, EndKind.OUTSIDE})),),
    "everybody": (),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_what_is_one_clause_as_it_is_written_is_what_clauses_make_of_it(name: str) -> None:
    parts = WRITTEN[name]
    assert clauses(And(parts), 1) == (clause_of(parts, ()),)
    assert not is_nobody(And(parts))
