from __future__ import annotations

import pytest

from eksnetpol.checks.policies.domain_names_are_for_auto_nodes import domain_names_are_for_auto_nodes
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_domain_names_are_for_auto_nodes(case: Case) -> None:
    assert_case(domain_names_are_for_auto_nodes, case)
