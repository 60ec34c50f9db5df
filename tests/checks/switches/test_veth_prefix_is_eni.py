from __future__ import annotations

import pytest

from eksnetpol.checks.switches.veth_prefix_is_eni import veth_prefix_is_eni
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_veth_prefix_is_eni(case: Case) -> None:
    assert_case(veth_prefix_is_eni, case)
