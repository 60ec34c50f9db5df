from __future__ import annotations

import pytest

from eksnetpol.checks.api.cluster_policy_definition_is_served import cluster_policy_definition_is_served
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_cluster_policy_definition_is_served(case: Case) -> None:
    assert_case(cluster_policy_definition_is_served, case)
