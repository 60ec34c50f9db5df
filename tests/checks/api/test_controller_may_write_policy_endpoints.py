from __future__ import annotations

import pytest

from eksnetpol.checks.api.controller_may_write_policy_endpoints import controller_may_write_policy_endpoints
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_controller_may_write_policy_endpoints(case: Case) -> None:
    assert_case(controller_may_write_policy_endpoints, case)
