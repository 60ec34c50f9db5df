from __future__ import annotations

import pytest

from eksnetpol.checks.switches.pod_ip_annotation_has_its_permission import pod_ip_annotation_has_its_permission
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_pod_ip_annotation_has_its_permission(case: Case) -> None:
    assert_case(pod_ip_annotation_has_its_permission, case)
