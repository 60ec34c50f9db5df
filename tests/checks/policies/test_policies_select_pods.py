from __future__ import annotations

import pytest

from eksnetpol.checks.policies.policies_select_pods import policies_select_pods
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_policies_select_pods(case: Case) -> None:
    assert_case(policies_select_pods, case)
