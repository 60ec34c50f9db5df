from __future__ import annotations

import pytest

from eksnetpol.checks.workloads.every_network_card_is_policed import every_network_card_is_policed
from tests.checks.cases import Case, assert_case, cases


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_every_network_card_is_policed(case: Case) -> None:
    assert_case(every_network_card_is_policed, case)
