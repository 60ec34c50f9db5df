from __future__ import annotations

import pytest

from eksnetpol.checks.nodes.daemonset_settings_reach_selected_pods import daemonset_settings_reach_selected_pods
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_daemonset_settings_reach_selected_pods(case: Case) -> None:
    assert_case(daemonset_settings_reach_selected_pods, case)
