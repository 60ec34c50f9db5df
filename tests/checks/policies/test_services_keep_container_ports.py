from __future__ import annotations

import pytest

from eksnetpol.checks.policies.services_keep_container_ports import services_keep_container_ports
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_services_keep_container_ports(case: Case) -> None:
    assert_case(services_keep_container_ports, case)
