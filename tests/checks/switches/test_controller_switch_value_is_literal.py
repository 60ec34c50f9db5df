from __future__ import annotations

import pytest

from eksnetpol.checks.switches.controller_switch_value_is_literal import controller_switch_value_is_literal
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_controller_switch_value_is_literal(case: Case) -> None:
    assert_case(controller_switch_value_is_literal, case)
