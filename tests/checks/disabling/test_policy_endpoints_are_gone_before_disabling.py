from __future__ import annotations

import pytest

from eksnetpol.checks.disabling.policy_endpoints_are_gone_before_disabling import policy_endpoints_are_gone_before_disabling
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_policy_endpoints_are_gone_before_disabling(case: Case) -> None:
    assert_case(policy_endpoints_are_gone_before_disabling, case)
