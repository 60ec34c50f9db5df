from __future__ import annotations

import pytest

from eksnetpol.checks.policies.control_plane_reaches_its_backends import control_plane_reaches_its_backends
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_control_plane_reaches_its_backends(case: Case) -> None:
    assert_case(control_plane_reaches_its_backends, case)
