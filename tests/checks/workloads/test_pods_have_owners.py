from __future__ import annotations

import pytest

from eksnetpol.checks.workloads.pods_have_owners import pods_have_owners
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_pods_have_owners(case: Case) -> None:
    assert_case(pods_have_owners, case)
