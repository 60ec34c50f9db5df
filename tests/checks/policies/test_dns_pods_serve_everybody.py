from __future__ import annotations

import pytest

from eksnetpol.checks.policies.dns_pods_serve_everybody import dns_pods_serve_everybody
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_dns_pods_serve_everybody(case: Case) -> None:
    assert_case(dns_pods_serve_everybody, case)
