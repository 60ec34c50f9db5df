from __future__ import annotations

import pytest

from eksnetpol.checks.switches.agent_container_is_present import agent_container_is_present
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_agent_container_is_present(case: Case) -> None:
    assert_case(agent_container_is_present, case)
