from __future__ import annotations

import pytest

from eksnetpol.checks.policies.pod_identity_agent_stays_reachable import pod_identity_agent_stays_reachable
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_pod_identity_agent_stays_reachable(case: Case) -> None:
    assert_case(pod_identity_agent_stays_reachable, case)
