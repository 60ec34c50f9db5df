from __future__ import annotations

import pytest

from eksnetpol.checks.api.definitions_are_unmodified import definitions_are_unmodified
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_definitions_are_unmodified(case: Case) -> None:
    assert_case(definitions_are_unmodified, case)
