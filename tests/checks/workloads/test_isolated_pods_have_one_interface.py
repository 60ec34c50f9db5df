from __future__ import annotations

import pytest

from eksnetpol.checks.workloads.isolated_pods_have_one_interface import isolated_pods_have_one_interface
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_isolated_pods_have_one_interface(case: Case) -> None:
    assert_case(isolated_pods_have_one_interface, case)
