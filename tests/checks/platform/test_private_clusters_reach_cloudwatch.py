from __future__ import annotations

import pytest

from eksnetpol.checks.platform.private_clusters_reach_cloudwatch import private_clusters_reach_cloudwatch
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_private_clusters_reach_cloudwatch(case: Case) -> None:
    assert_case(private_clusters_reach_cloudwatch, case)
