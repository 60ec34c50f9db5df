"""Conjunctions of questions about labels, told label by label: always what the clauses of the algebra tell."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from eksnetpol.policy.stacks.algebra import conjunction, is_nobody, negation
from eksnetpol.policy.stacks.formulas import EVERYBODY, NOBODY, And, Formula, Label, Not, Scope, Test
from eksnetpol.policy.stacks.slots import imply, meet, slots_of

asked = st.one_of(
    st.builds(
        Label, st.just(Scope.POD), st.sampled_from("ab"), st.just(Test.IN), st.frozensets(st.sampled_from("xyz"), min_size=1)
    ),
    st.builds(Label, st.just(Scope.POD), st.sampled_from("ab"), st.just(Test.EXISTS)),
)
literals = st.one_of(asked, st.builds(Not, asked))
conjunctions = st.lists(literals, max_size=4).map(lambda parts: And(tuple(parts)))


@settings(max_examples=300, deadline=None)
@given(conjunctions, conjunctions)
def test_label_by_label_is_what_clauses_tell(one: Formula, other: Formula) -> None:
    mine, theirs = slots_of(one), slots_of(other)
    assert (mine is None) == is_nobody(one)
    assert (theirs is None) == is_nobody(other)
    if mine is not None and theirs is not None:
        assert meet(mine, theirs) == (not is_nobody(conjunction(one, other)))
        assert imply(mine, theirs) == is_nobody(conjunction(one, negation(other)))


def test_what_asks_for_more_than_labels_of_pods_is_left_to_clauses() -> None:
    space = Label(Scope.NAMESPACE, "a", Test.EXISTS)
    begins = Label(Scope.POD, "a", Test.STARTS, frozenset({"x"}))
    assert [slots_of(f) for f in (NOBODY, space, begins, Not(And((begins, space))))] == [None] * 4
    assert slots_of(EVERYBODY) == {}
