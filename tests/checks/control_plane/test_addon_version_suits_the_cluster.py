from __future__ import annotations

import pytest

from eksnetpol.checks.control_plane.addon_version_suits_the_cluster import addon_version_suits_the_cluster
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_addon_version_suits_the_cluster(case: Case) -> None:
    assert_case(addon_version_suits_the_cluster, case)
