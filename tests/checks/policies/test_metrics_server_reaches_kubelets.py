from __future__ import annotations

import pytest

from eksnetpol.checks.policies.metrics_server_reaches_kubelets import metrics_server_reaches_kubelets
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_metrics_server_reaches_kubelets(case: Case) -> None:
    assert_case(metrics_server_reaches_kubelets, case)
