from __future__ import annotations

import pytest

from eksnetpol.checks.policies.service_addresses_follow_their_peers import service_addresses_follow_their_peers
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_service_addresses_follow_their_peers(case: Case) -> None:
    assert_case(service_addresses_follow_their_peers, case)
