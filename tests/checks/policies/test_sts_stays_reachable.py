from __future__ import annotations

import pytest

from eksnetpol.checks.policies.sts_stays_reachable import sts_stays_reachable
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_sts_stays_reachable(case: Case) -> None:
    assert_case(sts_stays_reachable, case)
