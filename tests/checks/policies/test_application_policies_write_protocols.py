from __future__ import annotations

import pytest

from eksnetpol.checks.policies.application_policies_write_protocols import application_policies_write_protocols
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_application_policies_write_protocols(case: Case) -> None:
    assert_case(application_policies_write_protocols, case)
