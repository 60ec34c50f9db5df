from __future__ import annotations

import pytest

from eksnetpol.checks.policies.cluster_policies_use_port_numbers import cluster_policies_use_port_numbers
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_cluster_policies_use_port_numbers(case: Case) -> None:
    assert_case(cluster_policies_use_port_numbers, case)
