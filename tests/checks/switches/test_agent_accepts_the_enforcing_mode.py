from __future__ import annotations

import pytest

from eksnetpol.checks.switches.agent_accepts_the_enforcing_mode import agent_accepts_the_enforcing_mode
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_agent_accepts_the_enforcing_mode(case: Case) -> None:
    assert_case(agent_accepts_the_enforcing_mode, case)
