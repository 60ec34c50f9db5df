from __future__ import annotations

import pytest

from eksnetpol.checks.switches.one_agent_release_everywhere import one_agent_release_everywhere
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_one_agent_release_everywhere(case: Case) -> None:
    assert_case(one_agent_release_everywhere, case)
