from __future__ import annotations

import pytest

from eksnetpol.checks.policies.ports_fit_the_agent import ports_fit_the_agent
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_ports_fit_the_agent(case: Case) -> None:
    assert_case(ports_fit_the_agent, case)
