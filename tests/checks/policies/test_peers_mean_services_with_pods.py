from __future__ import annotations

import pytest

from eksnetpol.checks.policies.peers_mean_services_with_pods import peers_mean_services_with_pods
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_peers_mean_services_with_pods(case: Case) -> None:
    assert_case(peers_mean_services_with_pods, case)
