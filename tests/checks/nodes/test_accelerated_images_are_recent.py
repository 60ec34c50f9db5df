from __future__ import annotations

import pytest

from eksnetpol.checks.nodes.accelerated_images_are_recent import accelerated_images_are_recent
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_accelerated_images_are_recent(case: Case) -> None:
    assert_case(accelerated_images_are_recent, case)
