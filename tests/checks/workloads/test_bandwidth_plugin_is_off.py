from __future__ import annotations

import pytest

from eksnetpol.checks.workloads.bandwidth_plugin_is_off import bandwidth_plugin_is_off
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_bandwidth_plugin_is_off(case: Case) -> None:
    assert_case(bandwidth_plugin_is_off, case)
