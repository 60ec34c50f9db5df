from __future__ import annotations

import pytest

from eksnetpol.checks.policies.excepts_close_nothing_else import excepts_close_nothing_else
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_excepts_close_nothing_else(case: Case) -> None:
    assert_case(excepts_close_nothing_else, case)
