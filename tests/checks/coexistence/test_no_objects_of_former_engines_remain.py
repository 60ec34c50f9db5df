from __future__ import annotations

import pytest

from eksnetpol.checks.coexistence.no_objects_of_former_engines_remain import no_objects_of_former_engines_remain
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_no_objects_of_former_engines_remain(case: Case) -> None:
    assert_case(no_objects_of_former_engines_remain, case)
