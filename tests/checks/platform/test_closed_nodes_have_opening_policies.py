from __future__ import annotations

import pytest

from eksnetpol.checks.platform.closed_nodes_have_opening_policies import closed_nodes_have_opening_policies
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_closed_nodes_have_opening_policies(case: Case) -> None:
    assert_case(closed_nodes_have_opening_policies, case)
