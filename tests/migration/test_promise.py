"""Random policies of other engines: the readers say what they mean, and their translation keeps its promise.

2,000 clusters, the first of those that ``make fuzz`` makes up: see `tests.migration.fuzz`.
"""

from __future__ import annotations

import pytest

from tests.migration import fuzz
from tests.migration.promise import MAKERS

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
        case = MAKERS[dialect](number)
        for law, fails in fuzz.laws(number).items():
            # What holds in other worlds has a test of its own.
            found += [f"{dialect} {number}, {law}: {text}" for text in (fails(case) if law != "tomorrow" else ())]
    assert found == []
