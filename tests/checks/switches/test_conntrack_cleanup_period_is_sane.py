from __future__ import annotations

import pytest

from eksnetpol.checks.switches.conntrack_cleanup_period_is_sane import conntrack_cleanup_period_is_sane
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_conntrack_cleanup_period_is_sane(case: Case) -> None:
    assert_case(conntrack_cleanup_period_is_sane, case)
