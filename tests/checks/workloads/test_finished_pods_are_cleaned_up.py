from __future__ import annotations

import pytest

from eksnetpol.checks.workloads.finished_pods_are_cleaned_up import finished_pods_are_cleaned_up
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_finished_pods_are_cleaned_up(case: Case) -> None:
    assert_case(finished_pods_are_cleaned_up, case)
