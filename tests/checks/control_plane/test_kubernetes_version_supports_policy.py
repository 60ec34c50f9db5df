from __future__ import annotations

import pytest

from eksnetpol.checks.control_plane.kubernetes_version_supports_policy import kubernetes_version_supports_policy
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_kubernetes_version_supports_policy(case: Case) -> None:
    assert_case(kubernetes_version_supports_policy, case)
