from __future__ import annotations

import pytest

from eksnetpol.checks.policies.peers_join_what_belongs_together import peers_join_what_belongs_together
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_peers_join_what_belongs_together(case: Case) -> None:
    assert_case(peers_join_what_belongs_together, case)
