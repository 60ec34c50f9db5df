from __future__ import annotations

import pytest

from eksnetpol.checks.workloads.peers_have_addresses_of_their_own import peers_have_addresses_of_their_own
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_peers_have_addresses_of_their_own(case: Case) -> None:
    assert_case(peers_have_addresses_of_their_own, case)
