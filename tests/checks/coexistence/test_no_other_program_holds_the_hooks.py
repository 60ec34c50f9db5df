from __future__ import annotations

import pytest

from eksnetpol.checks.coexistence.no_other_program_holds_the_hooks import no_other_program_holds_the_hooks
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_no_other_program_holds_the_hooks(case: Case) -> None:
    assert_case(no_other_program_holds_the_hooks, case)
