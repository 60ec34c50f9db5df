from __future__ import annotations

import pytest

from eksnetpol.checks.switches.mode_is_unset_without_an_agent import mode_is_unset_without_an_agent
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_mode_is_unset_without_an_agent(case: Case) -> None:
    assert_case(mode_is_unset_without_an_agent, case)
