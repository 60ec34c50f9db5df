from __future__ import annotations

import pytest

from eksnetpol.checks.coexistence.no_stale_engine_hook_remains import no_stale_engine_hook_remains
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_no_stale_engine_hook_remains(case: Case) -> None:
    assert_case(no_stale_engine_hook_remains, case)
