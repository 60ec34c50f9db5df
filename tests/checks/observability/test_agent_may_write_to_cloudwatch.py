from __future__ import annotations

import pytest

from eksnetpol.checks.observability.agent_may_write_to_cloudwatch import agent_may_write_to_cloudwatch
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_agent_may_write_to_cloudwatch(case: Case) -> None:
    assert_case(agent_may_write_to_cloudwatch, case)
