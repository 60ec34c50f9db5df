"""What a verdict promises for all pods, namespaces and contents of sets holds when there are others."""

from __future__ import annotations

import pytest

from eksnetpol.translation import Verdict
from tests.migration import tomorrow
from tests.migration.promise import MAKERS

CLUSTERS = {"calico": 60, "cilium": 24, "antrea": 16, "upstream": 16}
"""So many of each dialect: more where it is quick, and few, because ``make fuzz`` looks at many."""


@pytest.mark.parametrize("dialect", MAKERS)
def test_what_is_promised_for_all_worlds_holds_in_another_one(dialect: str) -> None:
    found: list[str] = []
    exact = 0
    for number in range(CLUSTERS[dialect]):
        case = MAKERS[dialect](number)
        exact += tomorrow.lasting_part(case, tomorrow.EXACT) is not None
        found += [f"{dialect} {number}: {text}" for text in tomorrow.broken(case, number)]
    assert found == []
    assert exact, "nothing is called exact, so nothing was looked at"


def test_what_is_called_exact_now_need_not_hold_in_another_world() -> None:
    # Were these called exact, the test above would say so.
    differing = 0
    for number in range(20):
        case = MAKERS["calico"](number)
        made = case.translated()
        if {judged.verdict for judged in made.judged} <= {Verdict.EXACT, Verdict.EXACT_NOW}:
            differing += bool(tomorrow.differences(tomorrow.tomorrow(case, number), made))
    assert differing
