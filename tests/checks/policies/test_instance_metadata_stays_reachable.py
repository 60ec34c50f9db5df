from __future__ import annotations

import pytest

from eksnetpol.checks.policies.instance_metadata_stays_reachable import instance_metadata_stays_reachable
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_instance_metadata_stays_reachable(case: Case) -> None:
    assert_case(instance_metadata_stays_reachable, case)
