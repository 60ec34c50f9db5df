from __future__ import annotations

import pytest

from eksnetpol.checks.control_plane.running_releases_are_not_known_bad import running_releases_are_not_known_bad
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_running_releases_are_not_known_bad(case: Case) -> None:
    assert_case(running_releases_are_not_known_bad, case)
