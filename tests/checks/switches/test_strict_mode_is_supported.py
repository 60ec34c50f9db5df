from __future__ import annotations

import pytest

from eksnetpol.checks.switches.strict_mode_is_supported import strict_mode_is_supported
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_strict_mode_is_supported(case: Case) -> None:
    assert_case(strict_mode_is_supported, case)
