from __future__ import annotations

import pytest

from eksnetpol.checks.policies.rules_let_icmp_through import rules_let_icmp_through
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_rules_let_icmp_through(case: Case) -> None:
    assert_case(rules_let_icmp_through, case)
