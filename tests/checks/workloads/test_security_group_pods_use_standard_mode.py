from __future__ import annotations

import pytest

from eksnetpol.checks.workloads.security_group_pods_use_standard_mode import security_group_pods_use_standard_mode
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_security_group_pods_use_standard_mode(case: Case) -> None:
    assert_case(security_group_pods_use_standard_mode, case)
