from __future__ import annotations

import pytest

from eksnetpol.checks.platform.auto_nodes_have_the_controller import auto_nodes_have_the_controller
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_auto_nodes_have_the_controller(case: Case) -> None:
    assert_case(auto_nodes_have_the_controller, case)
