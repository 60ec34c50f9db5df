from __future__ import annotations

import pytest

from eksnetpol.checks.control_plane.agent_ports_are_configurable import agent_ports_are_configurable
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_agent_ports_are_configurable(case: Case) -> None:
    assert_case(agent_ports_are_configurable, case)
