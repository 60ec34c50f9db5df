from __future__ import annotations

import pytest

from eksnetpol.checks.switches.legacy_agent_ports_are_free import legacy_agent_ports_are_free
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_legacy_agent_ports_are_free(case: Case) -> None:
    assert_case(legacy_agent_ports_are_free, case)
