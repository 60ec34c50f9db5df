from __future__ import annotations

import pytest

from eksnetpol.checks.api.policy_endpoints_come_from_the_controller import policy_endpoints_come_from_the_controller
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_policy_endpoints_come_from_the_controller(case: Case) -> None:
    assert_case(policy_endpoints_come_from_the_controller, case)
