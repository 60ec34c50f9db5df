from __future__ import annotations

import pytest

from eksnetpol.checks.control_plane.agent_has_the_security_fixes import agent_has_the_security_fixes
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_agent_has_the_security_fixes(case: Case) -> None:
    assert_case(agent_has_the_security_fixes, case)
