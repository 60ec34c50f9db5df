from __future__ import annotations

import pytest

from eksnetpol.checks.policies.wide_egress_leaves_out_instance_metadata import wide_egress_leaves_out_instance_metadata
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_wide_egress_leaves_out_instance_metadata(case: Case) -> None:
    assert_case(wide_egress_leaves_out_instance_metadata, case)
