from __future__ import annotations

import pytest

from eksnetpol.checks.observability.verdicts_are_logged import verdicts_are_logged
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_verdicts_are_logged(case: Case) -> None:
    assert_case(verdicts_are_logged, case)
