from __future__ import annotations

import pytest

from eksnetpol.checks.switches.rollout_is_finished import rollout_is_finished
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_rollout_is_finished(case: Case) -> None:
    assert_case(rollout_is_finished, case)
