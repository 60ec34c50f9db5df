from __future__ import annotations

import pytest

from eksnetpol.checks.api.agent_may_read_cluster_policy_endpoints import agent_may_read_cluster_policy_endpoints
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_agent_may_read_cluster_policy_endpoints(case: Case) -> None:
    assert_case(agent_may_read_cluster_policy_endpoints, case)
