from __future__ import annotations

import pytest

from eksnetpol.checks.workloads.security_groups_agree_with_policies import security_groups_agree_with_policies
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_security_groups_agree_with_policies(case: Case) -> None:
    assert_case(security_groups_agree_with_policies, case)
