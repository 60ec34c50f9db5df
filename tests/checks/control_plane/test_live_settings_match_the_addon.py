from __future__ import annotations

import pytest

from eksnetpol.checks.control_plane.live_settings_match_the_addon import live_settings_match_the_addon
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_live_settings_match_the_addon(case: Case) -> None:
    assert_case(live_settings_match_the_addon, case)
