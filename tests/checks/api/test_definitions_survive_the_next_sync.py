from __future__ import annotations

import pytest

from eksnetpol.checks.api.definitions_survive_the_next_sync import definitions_survive_the_next_sync
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_definitions_survive_the_next_sync(case: Case) -> None:
    assert_case(definitions_survive_the_next_sync, case)
