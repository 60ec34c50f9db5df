from __future__ import annotations

import pytest

from eksnetpol.checks.coexistence.ambient_mesh_probes_are_allowed import ambient_mesh_probes_are_allowed
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_ambient_mesh_probes_are_allowed(case: Case) -> None:
    assert_case(ambient_mesh_probes_are_allowed, case)
