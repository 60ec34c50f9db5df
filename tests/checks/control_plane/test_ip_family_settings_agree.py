from __future__ import annotations

import pytest

from eksnetpol.checks.control_plane.ip_family_settings_agree import ip_family_settings_agree
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_ip_family_settings_agree(case: Case) -> None:
    assert_case(ip_family_settings_agree, case)
