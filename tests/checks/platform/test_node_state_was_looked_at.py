from __future__ import annotations

import pytest

from eksnetpol.checks.platform.node_state_was_looked_at import node_state_was_looked_at
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_node_state_was_looked_at(case: Case) -> None:
    assert_case(node_state_was_looked_at, case)
