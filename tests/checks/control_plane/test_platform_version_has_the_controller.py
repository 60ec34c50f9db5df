from __future__ import annotations

import pytest

from eksnetpol.checks.control_plane.platform_version_has_the_controller import platform_version_has_the_controller
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_platform_version_has_the_controller(case: Case) -> None:
    assert_case(platform_version_has_the_controller, case)
