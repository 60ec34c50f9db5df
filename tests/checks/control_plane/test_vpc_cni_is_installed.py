from __future__ import annotations

import pytest

from eksnetpol.checks.control_plane.vpc_cni_is_installed import vpc_cni_is_installed
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_vpc_cni_is_installed(case: Case) -> None:
    assert_case(vpc_cni_is_installed, case)
