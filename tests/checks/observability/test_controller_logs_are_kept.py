from __future__ import annotations

import pytest

from eksnetpol.checks.observability.controller_logs_are_kept import controller_logs_are_kept
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_controller_logs_are_kept(case: Case) -> None:
    assert_case(controller_logs_are_kept, case)
