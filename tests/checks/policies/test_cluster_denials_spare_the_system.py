from __future__ import annotations

import pytest

from eksnetpol.checks.policies.cluster_denials_spare_the_system import cluster_denials_spare_the_system
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_cluster_denials_spare_the_system(case: Case) -> None:
    assert_case(cluster_denials_spare_the_system, case)
