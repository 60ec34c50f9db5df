from __future__ import annotations

import pytest

from eksnetpol.checks.nodes.agent_can_pin_programs import agent_can_pin_programs
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_agent_can_pin_programs(case: Case) -> None:
    assert_case(agent_can_pin_programs, case)
