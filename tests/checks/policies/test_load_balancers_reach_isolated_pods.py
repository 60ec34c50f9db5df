from __future__ import annotations

import pytest

from eksnetpol.checks.policies.load_balancers_reach_isolated_pods import load_balancers_reach_isolated_pods
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_load_balancers_reach_isolated_pods(case: Case) -> None:
    assert_case(load_balancers_reach_isolated_pods, case)
