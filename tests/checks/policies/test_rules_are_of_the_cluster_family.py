from __future__ import annotations

import pytest

from eksnetpol.checks.policies.rules_are_of_the_cluster_family import rules_are_of_the_cluster_family
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_rules_are_of_the_cluster_family(case: Case) -> None:
    assert_case(rules_are_of_the_cluster_family, case)
