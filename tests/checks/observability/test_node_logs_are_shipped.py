from __future__ import annotations

import pytest

from eksnetpol.checks.observability.node_logs_are_shipped import node_logs_are_shipped
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_node_logs_are_shipped(case: Case) -> None:
    assert_case(node_logs_are_shipped, case)
