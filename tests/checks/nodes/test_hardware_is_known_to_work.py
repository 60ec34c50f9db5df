from __future__ import annotations

import pytest

from eksnetpol.checks.nodes.hardware_is_known_to_work import hardware_is_known_to_work
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_hardware_is_known_to_work(case: Case) -> None:
    assert_case(hardware_is_known_to_work, case)
