from __future__ import annotations

import pytest

from eksnetpol.checks.policies.dns_stays_reachable import dns_stays_reachable
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_dns_stays_reachable(case: Case) -> None:
    assert_case(dns_stays_reachable, case)
