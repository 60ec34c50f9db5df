from __future__ import annotations

import pytest

from eksnetpol.checks.switches.agent_ports_are_free import agent_ports_are_free
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_agent_ports_are_free(case: Case) -> None:
    assert_case(agent_ports_are_free, case)
