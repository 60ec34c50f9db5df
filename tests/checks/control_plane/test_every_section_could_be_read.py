from __future__ import annotations

import pytest

from eksnetpol.checks.control_plane.every_section_could_be_read import every_section_could_be_read
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_every_section_could_be_read(case: Case) -> None:
    assert_case(every_section_could_be_read, case)
