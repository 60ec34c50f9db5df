from __future__ import annotations

import pytest

from eksnetpol.checks.api.admission_lets_policy_endpoints_pass import admission_lets_policy_endpoints_pass
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_admission_lets_policy_endpoints_pass(case: Case) -> None:
    assert_case(admission_lets_policy_endpoints_pass, case)
