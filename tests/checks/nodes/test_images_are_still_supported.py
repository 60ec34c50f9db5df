from __future__ import annotations

import pytest

from eksnetpol.checks.nodes.images_are_still_supported import images_are_still_supported
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_images_are_still_supported(case: Case) -> None:
    assert_case(images_are_still_supported, case)
