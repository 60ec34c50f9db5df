from __future__ import annotations

import pytest

from eksnetpol.checks.nodes.agent_reaches_instance_metadata import agent_reaches_instance_metadata
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_agent_reaches_instance_metadata(case: Case) -> None:
    assert_case(agent_reaches_instance_metadata, case)
