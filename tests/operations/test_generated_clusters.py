"""The clusters that the benchmarks measure with make every check do its work."""

from __future__ import annotations

import pytest

from eksnetpol.model.findings import Outcome, Verdict
from eksnetpol.model.snapshot import Seen
from eksnetpol.operations.preflight import preflight
from tests.benchmarks.generate import Size, generate

SIZE = Size(nodes=12, pods=600, services=40, policies=300)


def test_a_generated_cluster_leaves_nothing_unknown() -> None:
    report = preflight(generate(SIZE))
    assert [r.id for r in report.results if r.outcome in {Outcome.UNKNOWN, Outcome.ERRORED}] == []
    assert report.verdict is Verdict.READY
    assert sum(r.outcome is Outcome.PASSED for r in report.results) > 80


@pytest.mark.parametrize(
    ("section", "count"), [("nodes", 12), ("pods", 600), ("services", 40), ("network_policies", 300), ("agent_pods", 12)]
)
def test_a_generated_cluster_has_as_many_objects_as_asked_for(section: str, count: int) -> None:
    seen = getattr(generate(SIZE), section)
    assert isinstance(seen, Seen)
    assert len({(thing.metadata.namespace, thing.metadata.name) for thing in seen.value}) == count


def test_the_same_seed_gives_the_same_cluster() -> None:
    assert generate(SIZE, 7) == generate(SIZE, 7)
    assert generate(SIZE, 7) != generate(SIZE, 8)
