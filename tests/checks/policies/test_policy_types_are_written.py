from __future__ import annotations

import pytest

from eksnetpol.checks.policies.policy_types_are_written import policy_types_are_written
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_policy_types_are_written(case: Case) -> None:
    assert_case(policy_types_are_written, case)
