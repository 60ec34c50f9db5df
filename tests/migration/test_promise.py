"""Random policies of other engines: the readers say what they mean, and their translation keeps its promise."""

from __future__ import annotations

import pytest

from tests.migration.promise import MAKERS
from tests.migration.random_calico import PACKETS

BATCHES = 4
CLUSTERS = -(-2_000 // len(PACKETS) // BATCHES)
"""So many of each batch, with as many cases each as there are packets."""


@pytest.mark.parametrize("dialect", MAKERS)
@pytest.mark.parametrize("batch", range(BATCHES))
def test_nothing_flows_unnamed_after_the_translation(dialect: str, batch: int) -> None:
    found: list[str] = []
    for number in range(batch * CLUSTERS, (batch + 1) * CLUSTERS, len(MAKERS)):
        found += [f"{dialect} {number}: {text}" for text in MAKERS[dialect](number).promise()]
    assert found == []


@pytest.mark.parametrize("dialect", MAKERS)
def test_readers_and_engine_answer_as_the_plain_source(dialect: str) -> None:
    found: list[str] = []
    for number in range(60):
        found += [f"{dialect} {number}: {text}" for text in MAKERS[dialect](number).readers()]
    assert found == []
