from __future__ import annotations

import pytest

from eksnetpol.checks.workloads.init_containers_survive_strict_mode import init_containers_survive_strict_mode
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_init_containers_survive_strict_mode(case: Case) -> None:
    assert_case(init_containers_survive_strict_mode, case)
