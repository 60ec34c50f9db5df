from __future__ import annotations

import pytest

from eksnetpol.checks.policies.allow_all_rules_stand_alone import allow_all_rules_stand_alone
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_allow_all_rules_stand_alone(case: Case) -> None:
    assert_case(allow_all_rules_stand_alone, case)
