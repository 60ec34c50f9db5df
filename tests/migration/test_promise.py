"""Random policies of other engines: the readers say what they mean, and their translation keeps its promise.

2,000 clusters, the first of those that ``make fuzz`` makes up: see `tests.migration.fuzz`.
"""

from __future__ import annotations

import pytest

from tests.migration import fuzz
from tests.migration.promise import MAKERS

FOUND = (6049216,)
"""Numbers of clusters that disagreed once: a deny and a later allow that ask for the same source ports."""
BATCHES = 5
CLUSTERS = 2_000 // BATCHES // len(MAKERS)
"""So many of each batch and dialect."""


@pytest.mark.parametrize("batch", range(BATCHES))
@pytest.mark.parametrize("dialect", MAKERS)
def test_readers_say_what_is_meant_and_nothing_changes_unnamed(dialect: str, batch: int) -> None:
    at = list(MAKERS).index(dialect) + batch * CLUSTERS * len(MAKERS)
    found: list[str] = []
    for number in range(at, at + CLUSTERS * len(MAKERS), len(MAKERS)):
        assert fuzz.dialect_of(number) == dialect
        # What holds in other worlds has a test of its own.
        found += broken(number, but="tomorrow")
    assert found == []


@pytest.mark.parametrize("number", FOUND)
def test_what_disagreed_once_agrees(number: int) -> None:
    assert broken(number) == []


def broken(number: int, *, but: str = "") -> list[str]:
    """Return where the cluster of a number breaks any law but one."""
    case = MAKERS[fuzz.dialect_of(number)](number)
    found = ((law, fails(case)) for law, fails in fuzz.laws(number).items() if law != but)
    return [f"{fuzz.dialect_of(number)} {number}, {law}: {text}" for law, texts in found for text in texts]
