from __future__ import annotations

import pytest

from eksnetpol.checks.policies.peers_are_of_this_cluster import peers_are_of_this_cluster
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_peers_are_of_this_cluster(case: Case) -> None:
    assert_case(peers_are_of_this_cluster, case)
