from __future__ import annotations

import pytest

from eksnetpol.checks.observability.cloudwatch_has_verdicts_to_send import cloudwatch_has_verdicts_to_send
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_cloudwatch_has_verdicts_to_send(case: Case) -> None:
    assert_case(cloudwatch_has_verdicts_to_send, case)
