from __future__ import annotations

import pytest

from eksnetpol.checks.policies.ports_leave_room import ports_leave_room
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_ports_leave_room(case: Case) -> None:
    assert_case(ports_leave_room, case)
