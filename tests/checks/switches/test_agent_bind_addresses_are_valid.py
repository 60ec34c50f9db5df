from __future__ import annotations

import pytest

from eksnetpol.checks.switches.agent_bind_addresses_are_valid import agent_bind_addresses_are_valid
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_agent_bind_addresses_are_valid(case: Case) -> None:
    assert_case(agent_bind_addresses_are_valid, case)
