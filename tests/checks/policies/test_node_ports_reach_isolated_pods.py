from __future__ import annotations

import pytest

from eksnetpol.checks.policies.node_ports_reach_isolated_pods import node_ports_reach_isolated_pods
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_node_ports_reach_isolated_pods(case: Case) -> None:
    assert_case(node_ports_reach_isolated_pods, case)
