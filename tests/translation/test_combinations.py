"""One made-up pod for each combination that policies tell apart, laid beside the whole product of values."""

from __future__ import annotations

import random
from itertools import product

import pytest

from eksnetpol.policy.stacks.clauses import met_by
from eksnetpol.policy.stacks.ends import End, holds
from eksnetpol.policy.stacks.formulas import And, EndKind, Formula, Label, Not, Or, SameNamespace, Scope, Test, Unknowable
from eksnetpol.policy.world import World
from eksnetpol.translation.combinations import Combinations, Likeness, TooManyCombinationsError, values_of
from eksnetpol.translation.vpc import survey
from eksnetpol.translation.witnesses import asked_by, witnesses
from tests.policy.oracle.strategies import NAMESPACES
from tests.policy.stacks.pairwise import Stacked, stacked

VALUES = (None, "", "a", "b", "c", "ab", "ba", "aa", "bab", "other", "x")


def formulas(made: Stacked) -> tuple[Formula, ...]:
    """Return all that the rules and policies of a stack ask of pods."""
    policies = [policy for tier in made.stack.tiers for policy in tier.policies]
    rules = [rule for policy in policies for rule in policy.rules]
    return (*(p.subject for p in policies), *(f for rule in rules for f in (rule.peer, rule.local)))


def end_of(world: World, pod: Likeness) -> End:
    """Return a made-up pod as an end, at an address that no block has."""
    account = pod.account or "default"
    space = {"kubernetes.io/metadata.name": pod.namespace} | dict(world.namespace_labels.get(pod.namespace, {}))
    of_account = world.account_labels.get((pod.namespace, account), {})
    return End(EndKind.POD, pod.namespace, dict(pod.labels), space, account, of_account, "198.51.100.1", "203.0.113.7", 4)


def answers(world: World, asked: tuple[Formula, ...], pod: Likeness) -> tuple[bool | None, ...]:
    """Return what every formula says of a pod, where the other end is a pod of any namespace, on its node or on another."""
    me = end_of(world, pod)
    others = [end_of(world, Likeness(space, "", ())) for space in world.namespace_labels]
    return tuple(holds(formula, me, other) for formula in asked for other in (None, *others))


@pytest.mark.parametrize("batch", range(3))
def test_every_answer_that_any_pod_can_get_has_a_pod_that_gets_it(batch: int) -> None:
    count = 0
    for number in range(batch * 12, batch * 12 + 12):
        made = stacked(number)
        world, asked = made.world, formulas(made)
        own = Combinations(world, asked)
        try:
            found = own.all(2_000)
        except TooManyCombinationsError:
            continue
        got = {answers(world, asked, pod) for pod in found.values()}
        keys, accounts = ("app", "tier"), ("", "web", "someone")
        every = product(world.namespace_labels, accounts, product(VALUES, repeat=len(keys)))
        for space, account, values in every:
            labels = tuple((key, value) for key, value in zip(keys, values, strict=True) if value is not None)
            count += 1
            assert answers(world, asked, Likeness(space, account, labels)) in got, (number, space, account, labels)
        for state, pod in found.items():
            assert own.state(pod) == state, "what is said of a pod is what was found on the way to it"
    assert count > 3_000


def test_what_no_formula_tells_apart_is_one_combination() -> None:
    world = stacked(3).world
    web = Label(Scope.POD, "app", Test.IN, frozenset({"web"}))
    both = Label(Scope.POD, "app", Test.IN, frozenset({"web", "db"}))
    tier = Label(Scope.POD, "tier", Test.EXISTS)
    assert len(Combinations(world, [web]).all(100)) == 2
    assert len(Combinations(world, [both]).all(100)) == 2, "who is one of two is told from all others, not from each other"
    assert len(Combinations(world, [web, both]).all(100)) == 3
    assert len(Combinations(world, [web, both, tier]).all(100)) == 6
    assert len(Combinations(world, [And((web, tier))]).all(100)) == 2, "and not 4: without the one, the other says nothing"
    assert len(Combinations(world, [Or((web, Not(web)))]).all(100)) == 1
    assert len(Combinations(world, [SameNamespace()]).all(100)) == len(world.namespace_labels) == len(NAMESPACES)
    assert len(Combinations(world, [And((web, Unknowable("a domain name")))]).all(100)) == 2


def test_values_are_those_named_and_another_and_texts_put_together() -> None:
    chance = random.Random(5)  # noqa: S311 - nothing depends on nobody guessing it
    tests = (Test.IN, Test.CONTAINS, Test.STARTS, Test.ENDS, Test.EXISTS)
    for _ in range(200):
        asked = [
            Label(Scope.POD, "app", test, frozenset({chance.choice(("a", "b", "ab"))} if test is not Test.EXISTS else ()))
            for test in chance.choices(tests, k=3)
        ]
        texts = ["".join(letters) for size in range(5) for letters in product("abx", repeat=size)]
        told = {tuple(met_by(atom, text) for atom in asked) for text in texts}
        assert told <= {tuple(met_by(atom, value) for atom in asked) for value in values_of(asked)}


def test_there_may_be_too_many() -> None:
    world = stacked(3).world
    asked = [Label(Scope.POD, f"key{number}", Test.EXISTS) for number in range(12)]
    with pytest.raises(TooManyCombinationsError):
        Combinations(world, asked).all(1_000)
    assert len(Combinations(world, asked[:9]).all(1_000)) == 2**9
    with pytest.raises(TooManyCombinationsError):
        Combinations(world, [Label(Scope.POD, "app", Test.IN, frozenset({str(n)})) for n in range(4_000)]).all(10_000)


def test_made_up_pods_are_of_every_combination_of_source_and_translation() -> None:
    seen = 0
    for number in range(40, 52):
        made = stacked(number)
        written = tuple(asked_by(made.world))
        single, further, notes = witnesses(made.stack, made.world, survey(made.world, ("10.0.0.0/8",), 4), written)
        own = Combinations(made.world, (*formulas(made), *written))
        assert notes == ()
        pods = [Likeness(p.namespace, p.spec.service_account_name, tuple(p.labels.items())) for p in (*single, *further)]
        assert {own.state(pod) for pod in pods} == own.all(2_000).keys()
        assert len({(p.namespace, p.name) for p in (*single, *further)} - set(made.pods)) == len(pods)
        seen += len(further)
    assert seen > 50


def test_where_there_are_too_many_the_report_says_what_stands_for_them() -> None:
    made = stacked(3)
    asked = [Label(Scope.POD, f"key{number}", Test.EXISTS) for number in range(12)]
    single, further, notes = witnesses(made.stack, made.world, survey(made.world, (), 4), asked)
    assert further == ()
    words = (
        "the policies tell too many combinations of labels apart to look at each (2,000 at most): "
        f"{len(single)} pods made up for single subjects and peers stand for all pods to come; "
        "`eksnetpol migrate prove --symbolic` has no such bound"
    )
    assert notes == (words,)
