from __future__ import annotations

import pytest

from eksnetpol.checks.policies.port_names_resolve import port_names_resolve
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_port_names_resolve(case: Case) -> None:
    assert_case(port_names_resolve, case)
