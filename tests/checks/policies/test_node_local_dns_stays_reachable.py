from __future__ import annotations

import pytest

from eksnetpol.checks.policies.node_local_dns_stays_reachable import node_local_dns_stays_reachable
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_node_local_dns_stays_reachable(case: Case) -> None:
    assert_case(node_local_dns_stays_reachable, case)
