from __future__ import annotations

import pytest

from eksnetpol.checks.switches.controller_switch_is_on import controller_switch_is_on
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_controller_switch_is_on(case: Case) -> None:
    assert_case(controller_switch_is_on, case)
