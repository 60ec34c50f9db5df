from __future__ import annotations

import pytest

from eksnetpol.checks.policies.dns_of_auto_nodes_is_opened_by_address import dns_of_auto_nodes_is_opened_by_address
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_dns_of_auto_nodes_is_opened_by_address(case: Case) -> None:
    assert_case(dns_of_auto_nodes_is_opened_by_address, case)
