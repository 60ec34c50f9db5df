"""What results say: a denial counts only where its control works, and what is not known is never taken for a denial."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eksnetpol.migration.probing.results import Result, Tried, judge, read

OPEN, REFUSED, SILENT, BROKEN = Result.OPEN, Result.REFUSED, Result.SILENT, Result.BROKEN


def tries(**said: object) -> tuple[Tried, Tried]:
    """One that is let in, and one that is denied with it as its control."""
    let_in = Tried("web", "db", "10.0.0.1", 5432, allowed=True, job=0)
    kept_out = Tried("api", "db", "10.0.0.1", 5432, allowed=False, job=1, control=0, **said)  # type: ignore[arg-type]
    return let_in, kept_out


@pytest.mark.parametrize(
    ("let_in", "kept_out", "works", "denied", "through", "failed", "unclear"),
    [
        (OPEN, SILENT, 1, 1, 0, 0, 0),
        (OPEN, OPEN, 1, 0, 1, 0, 0),
        (OPEN, BROKEN, 1, 0, 0, 0, 1),
        (SILENT, SILENT, 0, 0, 0, 1, 1),
        (SILENT, OPEN, 0, 0, 1, 1, 0),
        (BROKEN, SILENT, 0, 0, 0, 1, 1),
        (REFUSED, SILENT, 1, 1, 0, 0, 0),
        (OPEN, REFUSED, 1, 0, 1, 0, 0),
    ],
)
def test_what_a_pair_says(
    let_in: Result, kept_out: Result, works: int, denied: int, through: int, failed: int, unclear: int
) -> None:
    found = judge(tries(), {0: let_in, 1: kept_out})
    assert (found.works, found.denied) == (works, denied)
    assert (len(found.through), len(found.failed), len(found.unclear)) == (through, failed, unclear)


def test_a_refusal_says_nothing_where_an_engine_refuses() -> None:
    found = judge(tries(), {0: REFUSED, 1: REFUSED}, rejects=True)
    assert (found.works, found.denied, found.through, found.failed, len(found.unclear)) == (0, 0, (), (), 2)
    assert judge(tries(), {0: OPEN, 1: REFUSED}, rejects=True).denied == 1, "beside a control that works it is a denial"


def test_what_has_no_result_has_failed_and_is_no_denial() -> None:
    found = judge(tries(), {})
    assert (found.denied, found.through) == (0, ())
    assert found.failed == ("web to db (10.0.0.1), TCP 5432: the probe gave no result",)


def test_what_was_left_out_says_nothing() -> None:
    let_in, kept_out = tries(left_out="no pod of it is ready")
    found = judge((let_in, kept_out), {0: OPEN})
    assert (found.works, found.denied, found.failed) == (1, 0, ())
    assert found.unclear == ("api to db (10.0.0.1), TCP 5432: no pod of it is ready",)


def test_a_control_that_need_not_work_may_fail() -> None:
    let_in, kept_out = tries()
    alone = Tried("web", "db", "10.0.0.1", 5432, allowed=True, job=0, counts=False)
    assert judge((alone, kept_out), {0: SILENT, 1: SILENT}).failed == ()
    assert judge((let_in, kept_out), {0: SILENT, 1: SILENT}).failed != ()


@given(st.dictionaries(st.integers(0, 1), st.sampled_from(Result)), st.booleans())
def test_every_try_is_told_once_and_a_denial_needs_its_control(results: dict[int, Result], rejects: bool) -> None:
    found = judge(tries(), results, rejects=rejects)
    assert found.works + found.denied + len(found.through) + len(found.failed) + len(found.unclear) == 2
    if found.denied:
        assert found.works
        assert results[1] in {Result.SILENT, Result.UNREACHABLE, *({REFUSED} if rejects else ())}
    if results.get(1) is OPEN:
        assert found.through, "what gets through is told, whatever its control does"


@given(st.text())
def test_messages_of_any_kind_are_read(message: str) -> None:
    found = read(message)
    assert all(number >= 0 and isinstance(result, Result) for number, result in found.items())


def test_a_message_is_read() -> None:
    assert read("0=open\n1=silent\nnc: whatever\n2=nonsense\n3=refused\n") == {0: OPEN, 1: SILENT, 3: REFUSED}
