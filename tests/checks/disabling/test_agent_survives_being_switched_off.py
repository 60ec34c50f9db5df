from __future__ import annotations

import pytest

from eksnetpol.checks.disabling.agent_survives_being_switched_off import agent_survives_being_switched_off
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_agent_survives_being_switched_off(case: Case) -> None:
    assert_case(agent_survives_being_switched_off, case)
