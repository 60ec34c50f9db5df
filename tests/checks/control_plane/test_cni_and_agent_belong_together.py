from __future__ import annotations

import pytest

from eksnetpol.checks.control_plane.cni_and_agent_belong_together import cni_and_agent_belong_together
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_cni_and_agent_belong_together(case: Case) -> None:
    assert_case(cni_and_agent_belong_together, case)
