from __future__ import annotations

import pytest

from eksnetpol.checks.switches.scrapers_use_the_current_port import scrapers_use_the_current_port
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_scrapers_use_the_current_port(case: Case) -> None:
    assert_case(scrapers_use_the_current_port, case)
