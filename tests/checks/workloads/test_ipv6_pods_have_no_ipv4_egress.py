from __future__ import annotations

import pytest

from eksnetpol.checks.workloads.ipv6_pods_have_no_ipv4_egress import ipv6_pods_have_no_ipv4_egress
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_ipv6_pods_have_no_ipv4_egress(case: Case) -> None:
    assert_case(ipv6_pods_have_no_ipv4_egress, case)
