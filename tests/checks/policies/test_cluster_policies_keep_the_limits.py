from __future__ import annotations

import pytest

from eksnetpol.checks.policies.cluster_policies_keep_the_limits import cluster_policies_keep_the_limits
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_cluster_policies_keep_the_limits(case: Case) -> None:
    assert_case(cluster_policies_keep_the_limits, case)
