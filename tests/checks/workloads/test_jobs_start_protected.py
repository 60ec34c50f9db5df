from __future__ import annotations

import pytest

from eksnetpol.checks.workloads.jobs_start_protected import jobs_start_protected
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_jobs_start_protected(case: Case) -> None:
    assert_case(jobs_start_protected, case)
