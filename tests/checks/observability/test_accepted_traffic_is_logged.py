from __future__ import annotations

import pytest

from eksnetpol.checks.observability.accepted_traffic_is_logged import accepted_traffic_is_logged
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_accepted_traffic_is_logged(case: Case) -> None:
    assert_case(accepted_traffic_is_logged, case)
