from __future__ import annotations

import pytest

from eksnetpol.checks.workloads.kube_proxy_serves_services import kube_proxy_serves_services
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_kube_proxy_serves_services(case: Case) -> None:
    assert_case(kube_proxy_serves_services, case)
