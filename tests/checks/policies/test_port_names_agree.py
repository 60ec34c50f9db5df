from __future__ import annotations

import pytest

from eksnetpol.checks.policies.port_names_agree import port_names_agree
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_port_names_agree(case: Case) -> None:
    assert_case(port_names_agree, case)
