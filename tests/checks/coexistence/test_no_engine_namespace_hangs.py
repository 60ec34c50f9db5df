from __future__ import annotations

import pytest

from eksnetpol.checks.coexistence.no_engine_namespace_hangs import no_engine_namespace_hangs
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_no_engine_namespace_hangs(case: Case) -> None:
    assert_case(no_engine_namespace_hangs, case)
