from __future__ import annotations

import pytest

from eksnetpol.checks.switches.every_node_runs_the_agent import every_node_runs_the_agent
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_every_node_runs_the_agent(case: Case) -> None:
    assert_case(every_node_runs_the_agent, case)
