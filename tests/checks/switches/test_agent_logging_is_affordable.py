from __future__ import annotations

import pytest

from eksnetpol.checks.switches.agent_logging_is_affordable import agent_logging_is_affordable
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_agent_logging_is_affordable(case: Case) -> None:
    assert_case(agent_logging_is_affordable, case)
