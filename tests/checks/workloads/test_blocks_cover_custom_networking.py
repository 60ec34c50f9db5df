from __future__ import annotations

import pytest

from eksnetpol.checks.workloads.blocks_cover_custom_networking import blocks_cover_custom_networking
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_blocks_cover_custom_networking(case: Case) -> None:
    assert_case(blocks_cover_custom_networking, case)
