from __future__ import annotations

import pytest

from eksnetpol.checks.nodes.selected_pods_run_off_hybrid_nodes import selected_pods_run_off_hybrid_nodes
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_selected_pods_run_off_hybrid_nodes(case: Case) -> None:
    assert_case(selected_pods_run_off_hybrid_nodes, case)
