from __future__ import annotations

import pytest

from eksnetpol.checks.policies.equal_peers_have_ports_or_none import equal_peers_have_ports_or_none
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_equal_peers_have_ports_or_none(case: Case) -> None:
    assert_case(equal_peers_have_ports_or_none, case)
