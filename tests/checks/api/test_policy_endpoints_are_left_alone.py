from __future__ import annotations

import pytest

from eksnetpol.checks.api.policy_endpoints_are_left_alone import policy_endpoints_are_left_alone
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_policy_endpoints_are_left_alone(case: Case) -> None:
    assert_case(policy_endpoints_are_left_alone, case)
