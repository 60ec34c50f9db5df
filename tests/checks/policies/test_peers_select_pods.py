from __future__ import annotations

import pytest

from eksnetpol.checks.policies.peers_select_pods import peers_select_pods
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_peers_select_pods(case: Case) -> None:
    assert_case(peers_select_pods, case)
