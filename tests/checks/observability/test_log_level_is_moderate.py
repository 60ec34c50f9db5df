from __future__ import annotations

import pytest

from eksnetpol.checks.observability.log_level_is_moderate import log_level_is_moderate
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_log_level_is_moderate(case: Case) -> None:
    assert_case(log_level_is_moderate, case)
