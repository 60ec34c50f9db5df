from __future__ import annotations

import pytest

from eksnetpol.checks.control_plane.addon_is_healthy import addon_is_healthy
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_addon_is_healthy(case: Case) -> None:
    assert_case(addon_is_healthy, case)
