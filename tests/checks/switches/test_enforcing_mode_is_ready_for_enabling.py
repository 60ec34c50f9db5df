from __future__ import annotations

import pytest

from eksnetpol.checks.switches.enforcing_mode_is_ready_for_enabling import enforcing_mode_is_ready_for_enabling
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_enforcing_mode_is_ready_for_enabling(case: Case) -> None:
    assert_case(enforcing_mode_is_ready_for_enabling, case)
