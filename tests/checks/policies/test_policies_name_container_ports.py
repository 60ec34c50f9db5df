from __future__ import annotations

import pytest

from eksnetpol.checks.policies.policies_name_container_ports import policies_name_container_ports
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_policies_name_container_ports(case: Case) -> None:
    assert_case(policies_name_container_ports, case)
