from __future__ import annotations

import pytest

from eksnetpol.checks.switches.strict_mode_covers_every_pod import strict_mode_covers_every_pod
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_strict_mode_covers_every_pod(case: Case) -> None:
    assert_case(strict_mode_covers_every_pod, case)
