from __future__ import annotations

import pytest

from eksnetpol.checks.policies.names_fit_the_agent import names_fit_the_agent
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_names_fit_the_agent(case: Case) -> None:
    assert_case(names_fit_the_agent, case)
