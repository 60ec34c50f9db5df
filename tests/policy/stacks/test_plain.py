"""The plain way to ask a stack against the other one, which knows which outcomes are possible, over random stacks."""

from __future__ import annotations

from itertools import product

import pytest

from eksnetpol.policy.stacks.ends import end_at
from tests.policy.stacks.pairwise import Place, flows, stacked
from tests.policy.stacks.plain import allowed


@pytest.mark.parametrize("number", range(20))
def test_both_slow_ways_agree(number: int) -> None:
    made = stacked(number)
    places: list[Place] = [*(k for k, e in made.ends.items() if e.address), *made.case.addresses]
    asked = 0
    for source, destination in product(places, places):
        if source == destination or (isinstance(source, str) and isinstance(destination, str)):
            continue
        ends = [end_at(made.world, one) if isinstance(one, str) else made.ends[one] for one in (source, destination)]
        for packet in made.case.packets:
            asked += 1
            sides = allowed(made.stack, made.world, ends[0], ends[1], *packet)
            may = flows(made, source, destination, packet)
            assert sides.allowed == (may.pop() if len(may) == 1 else None), (source, destination, packet)
    assert asked > 0 or len(places) < 2
