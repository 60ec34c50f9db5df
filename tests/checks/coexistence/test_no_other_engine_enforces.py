from __future__ import annotations

import pytest

from eksnetpol.checks.coexistence.no_other_engine_enforces import no_other_engine_enforces
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_no_other_engine_enforces(case: Case) -> None:
    assert_case(no_other_engine_enforces, case)
