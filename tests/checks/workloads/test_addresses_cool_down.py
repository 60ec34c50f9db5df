from __future__ import annotations

import pytest

from eksnetpol.checks.workloads.addresses_cool_down import addresses_cool_down
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_addresses_cool_down(case: Case) -> None:
    assert_case(addresses_cool_down, case)
