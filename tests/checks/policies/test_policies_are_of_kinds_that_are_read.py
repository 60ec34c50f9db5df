from __future__ import annotations

import pytest

from eksnetpol.checks.policies.policies_are_of_kinds_that_are_read import policies_are_of_kinds_that_are_read
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_policies_are_of_kinds_that_are_read(case: Case) -> None:
    assert_case(policies_are_of_kinds_that_are_read, case)
