from __future__ import annotations

import pytest

from eksnetpol.checks.switches.conntrack_table_size_is_valid import conntrack_table_size_is_valid
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_conntrack_table_size_is_valid(case: Case) -> None:
    assert_case(conntrack_table_size_is_valid, case)
