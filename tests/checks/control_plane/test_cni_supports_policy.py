from __future__ import annotations

import pytest

from eksnetpol.checks.control_plane.cni_supports_policy import cni_supports_policy
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_cni_supports_policy(case: Case) -> None:
    assert_case(cni_supports_policy, case)
