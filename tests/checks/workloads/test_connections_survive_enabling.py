from __future__ import annotations

import pytest

from eksnetpol.checks.workloads.connections_survive_enabling import connections_survive_enabling
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_connections_survive_enabling(case: Case) -> None:
    assert_case(connections_survive_enabling, case)
