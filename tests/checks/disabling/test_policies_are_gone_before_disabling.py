from __future__ import annotations

import pytest

from eksnetpol.checks.disabling.policies_are_gone_before_disabling import policies_are_gone_before_disabling
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_policies_are_gone_before_disabling(case: Case) -> None:
    assert_case(policies_are_gone_before_disabling, case)
