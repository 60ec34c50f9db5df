from __future__ import annotations

import pytest

from eksnetpol.checks.observability.cloudwatch_receives_verdicts import cloudwatch_receives_verdicts
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_cloudwatch_receives_verdicts(case: Case) -> None:
    assert_case(cloudwatch_receives_verdicts, case)
