from __future__ import annotations

import pytest

from eksnetpol.checks.coexistence.services_outlive_the_other_engine import services_outlive_the_other_engine
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_services_outlive_the_other_engine(case: Case) -> None:
    assert_case(services_outlive_the_other_engine, case)
