from __future__ import annotations

import pytest

from eksnetpol.checks.policies.cluster_denials_leave_policies_their_effect import cluster_denials_leave_policies_their_effect
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_cluster_denials_leave_policies_their_effect(case: Case) -> None:
    assert_case(cluster_denials_leave_policies_their_effect, case)
