from __future__ import annotations

import pytest

from eksnetpol.checks.policies.api_server_stays_reachable import api_server_stays_reachable
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_api_server_stays_reachable(case: Case) -> None:
    assert_case(api_server_stays_reachable, case)
