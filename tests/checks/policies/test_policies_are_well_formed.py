from __future__ import annotations

import pytest

from eksnetpol.checks.policies.policies_are_well_formed import policies_are_well_formed
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_policies_are_well_formed(case: Case) -> None:
    assert_case(policies_are_well_formed, case)
