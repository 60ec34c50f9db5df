from __future__ import annotations

import pytest

from eksnetpol.checks.control_plane.addon_update_keeps_custom_settings import addon_update_keeps_custom_settings
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_addon_update_keeps_custom_settings(case: Case) -> None:
    assert_case(addon_update_keeps_custom_settings, case)
