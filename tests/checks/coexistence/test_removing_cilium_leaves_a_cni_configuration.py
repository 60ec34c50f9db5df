from __future__ import annotations

import pytest

from eksnetpol.checks.coexistence.removing_cilium_leaves_a_cni_configuration import removing_cilium_leaves_a_cni_configuration
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_removing_cilium_leaves_a_cni_configuration(case: Case) -> None:
    assert_case(removing_cilium_leaves_a_cni_configuration, case)
