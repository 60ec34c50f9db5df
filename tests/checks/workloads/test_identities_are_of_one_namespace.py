from __future__ import annotations

import pytest

from eksnetpol.checks.workloads.identities_are_of_one_namespace import identities_are_of_one_namespace
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_identities_are_of_one_namespace(case: Case) -> None:
    assert_case(identities_are_of_one_namespace, case)
