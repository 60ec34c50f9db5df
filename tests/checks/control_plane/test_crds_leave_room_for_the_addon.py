from __future__ import annotations

import pytest

from eksnetpol.checks.control_plane.crds_leave_room_for_the_addon import crds_leave_room_for_the_addon
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_crds_leave_room_for_the_addon(case: Case) -> None:
    assert_case(crds_leave_room_for_the_addon, case)
