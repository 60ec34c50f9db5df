from __future__ import annotations

import pytest

from eksnetpol.checks.switches.agent_has_enough_memory import agent_has_enough_memory
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_agent_has_enough_memory(case: Case) -> None:
    assert_case(agent_has_enough_memory, case)
