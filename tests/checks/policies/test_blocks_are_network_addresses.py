from __future__ import annotations

import pytest

from eksnetpol.checks.policies.blocks_are_network_addresses import blocks_are_network_addresses
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_blocks_are_network_addresses(case: Case) -> None:
    assert_case(blocks_are_network_addresses, case)
