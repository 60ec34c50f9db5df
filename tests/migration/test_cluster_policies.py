"""Random clusters of all dialects, translated into ClusterNetworkPolicies too: the same promises hold, today and tomorrow."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.migration import tomorrow
from tests.migration.promise import MAKERS

CLUSTERS = {"calico": 60, "cilium": 60, "antrea": 40, "upstream": 30}
LATER = {"cilium": 20, "antrea": 12, "upstream": 12}


@pytest.mark.parametrize("dialect", MAKERS)
def test_nothing_flows_unnamed(dialect: str) -> None:
    found: list[str] = []
    written = 0
    for number in range(CLUSTERS[dialect]):
        case = replace(MAKERS[dialect](number), cluster_policies=True)
        found += [f"{dialect} {number}: {text}" for text in case.promise(compare=False)]
        written += any(output.is_cluster_wide for output in case.translated(compare=False).outputs)
    assert found == []
    # Few of Calico's policies are made up so that one comes of them.
    assert written or dialect == "calico", "no cluster-wide policy was written, so nothing was looked at"


@pytest.mark.parametrize("dialect", LATER)
def test_what_is_promised_for_all_worlds_holds_in_another_one(dialect: str) -> None:
    found: list[str] = []
    for number in range(LATER[dialect]):
        case = replace(MAKERS[dialect](number), cluster_policies=True)
        found += [f"{dialect} {number}: {text}" for text in tomorrow.broken(case, number)]
    assert found == []
