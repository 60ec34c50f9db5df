"""What is too much to work out: it ends, what is left out is said, and nothing flows that did not."""

from __future__ import annotations

import pytest

from eksnetpol.policy.stacks.algebra import TooMany
from eksnetpol.policy.stacks.formulas import EVERYBODY, And, Label, Or, Scope, Test
from eksnetpol.translation import effort
from eksnetpol.translation.effort import Effort, shares
from tests.migration.promise import MAKERS


@pytest.mark.parametrize("dialect", MAKERS)
@pytest.mark.parametrize("total", [0, 60, 1_000])
def test_the_promise_is_kept_with_however_little_effort(dialect: str, total: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(effort, "_TOTAL", total)
    monkeypatch.setattr(effort, "_FOR_A_RULE", 0)
    found: list[str] = []
    for number in range(24):
        found += [f"{dialect} {number}: {text}" for text in MAKERS[dialect](number).promise(compare=False)]
    assert found == []


def one_of(number: int) -> Or:
    return Or(tuple(Label(Scope.POD, f"{side}{number}", Test.EXISTS) for side in "ab"))


def test_without_effort_ends_may_meet_and_nothing_is_implied() -> None:
    wide = And(tuple(map(one_of, range(4))))
    able, spent = Effort(), Effort(0)
    assert able.meets(wide, EVERYBODY)
    assert able.implies(wide, one_of(2))
    assert not able.is_nobody(wide)
    assert spent.meets(wide, Or(()))
    assert not spent.implies(wide, one_of(2))
    assert spent.implies(wide, wide)
    with pytest.raises(TooMany):
        spent.clauses(wide, 100)


def test_a_question_costs_the_same_whether_or_not_it_was_asked_before() -> None:
    wide = And(tuple(map(one_of, range(5))))
    first, second = Effort(), Effort()
    assert not first.is_nobody(wide)
    assert not second.is_nobody(wide)
    assert first.left == second.left < Effort().left


def test_a_hard_part_takes_a_quarter_and_an_easy_one_nothing() -> None:
    mine, given = Effort(), []
    for part in shares(10, 6, mine):
        given.append(mine.left)
        mine.left = -5 if part == 0 else mine.left
    assert given[0] > given[1] == given[2] > 0
    assert given[0] + given[5] == sum(given[:1]) * 4
