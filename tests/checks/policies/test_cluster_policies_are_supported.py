from __future__ import annotations

import pytest

from eksnetpol.checks.policies.cluster_policies_are_supported import cluster_policies_are_supported
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_cluster_policies_are_supported(case: Case) -> None:
    assert_case(cluster_policies_are_supported, case)
