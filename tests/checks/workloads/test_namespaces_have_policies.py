from __future__ import annotations

import pytest

from eksnetpol.checks.workloads.namespaces_have_policies import namespaces_have_policies
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_namespaces_have_policies(case: Case) -> None:
    assert_case(namespaces_have_policies, case)
