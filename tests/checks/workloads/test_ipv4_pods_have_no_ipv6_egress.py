from __future__ import annotations

import pytest

from eksnetpol.checks.workloads.ipv4_pods_have_no_ipv6_egress import ipv4_pods_have_no_ipv6_egress
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_ipv4_pods_have_no_ipv6_egress(case: Case) -> None:
    assert_case(ipv4_pods_have_no_ipv6_egress, case)
