from __future__ import annotations

import pytest

from eksnetpol.checks.workloads.host_network_pods_are_unselected import host_network_pods_are_unselected
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_host_network_pods_are_unselected(case: Case) -> None:
    assert_case(host_network_pods_are_unselected, case)
