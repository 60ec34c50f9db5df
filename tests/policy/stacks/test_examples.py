"""Made-up ends: what is found is meant, and where something can be meant and asks for nothing odd, something is found."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from eksnetpol.policy.stacks.algebra import atoms, is_nobody
from eksnetpol.policy.stacks.ends import End, holds
from eksnetpol.policy.stacks.examples import example
from eksnetpol.policy.stacks.formulas import (
    And,
    EndKind,
    Formula,
    Is,
    Label,
    Named,
    Not,
    OnNode,
    SameNamespace,
    Scope,
    Test,
    Unknowable,
)
from tests.policy.stacks.formulas import ends, formulas, knowable

often = settings(max_examples=150, deadline=None)


@often
@given(formulas, st.none() | ends())
def test_what_is_found_is_meant(f: Formula, other: End | None) -> None:
    found = example(f, other)
    assert found is None or holds(f, found, other) is True


@often
@given(knowable)
def test_where_somebody_can_be_meant_somebody_is_found(f: Formula) -> None:
    asks_both = any(isinstance(a, OnNode | SameNamespace) for a in atoms(f))
    assert asks_both or (example(f, limit=400) is None) == is_nobody(f)


def test_texts_and_names_are_put_together() -> None:
    def label(test: Test, text: str) -> Label:
        return Label(Scope.POD, "app", test, frozenset({text}))

    f = And(
        (
            label(Test.STARTS, "web-"),
            label(Test.ENDS, "-v2"),
            label(Test.CONTAINS, "blue"),
            Not(label(Test.IN, "web-blue-v2")),
            Not(Named(Scope.NAMESPACE, frozenset({"example"}))),
        )
    )
    found = example(f)
    assert found is not None
    assert found.labels == {"app": "web-blue0-v2"}
    assert (found.kind, found.namespace) == (EndKind.POD, "example0")


def test_the_other_end_is_kept_to() -> None:
    other = End(EndKind.POD, "shop", namespace_labels={"team": "red"}, address="10.0.0.1", node="10.0.0.250")
    near = example(SameNamespace(), other)
    assert near is not None
    assert (near.namespace, near.namespace_labels) == ("shop", {"kubernetes.io/metadata.name": "shop", "team": "red"})
    node = example(And((OnNode(), Is(frozenset({EndKind.NODE})))), other)
    assert node is not None
    assert node.node == "10.0.0.250"


def test_what_nobody_can_know_has_no_example() -> None:
    assert example(Unknowable("a domain name")) is None
