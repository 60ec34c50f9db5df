from __future__ import annotations

import pytest

from eksnetpol.checks.workloads.strict_mode_closes_both_directions import strict_mode_closes_both_directions
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_strict_mode_closes_both_directions(case: Case) -> None:
    assert_case(strict_mode_closes_both_directions, case)
