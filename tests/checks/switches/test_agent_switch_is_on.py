from __future__ import annotations

import pytest

from eksnetpol.checks.switches.agent_switch_is_on import agent_switch_is_on
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_agent_switch_is_on(case: Case) -> None:
    assert_case(agent_switch_is_on, case)
