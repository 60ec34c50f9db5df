from __future__ import annotations

import pytest

from eksnetpol.checks.api.policy_endpoint_definition_is_served import policy_endpoint_definition_is_served
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_policy_endpoint_definition_is_served(case: Case) -> None:
    assert_case(policy_endpoint_definition_is_served, case)
