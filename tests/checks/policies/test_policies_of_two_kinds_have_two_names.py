from __future__ import annotations

import pytest

from eksnetpol.checks.policies.policies_of_two_kinds_have_two_names import policies_of_two_kinds_have_two_names
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_policies_of_two_kinds_have_two_names(case: Case) -> None:
    assert_case(policies_of_two_kinds_have_two_names, case)
