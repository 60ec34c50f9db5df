"""The stack of random policies of Antrea against the documentation read word by word."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from eksnetpol.engines.antrea.read import read
from eksnetpol.policy.answers import Addresses, Engine, Pods
from eksnetpol.policy.profile import Profile, Semantics
from eksnetpol.policy.stacks.engine import engine_for
from tests.engines.antrea.drawing import drawn
from tests.engines.antrea.plain import Antrea, places
from tests.policy.oracle.plain import Place

OFTEN = settings(
    max_examples=40, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate], suppress_health_check=list(HealthCheck)
)


def party(engine: Engine, place: Place) -> Pods | Addresses:
    if place.pod is None:
        return Addresses(place.address, place.address)
    return Pods(1 << engine.atlas.class_of[place.pod.namespace, place.pod.name], str(place), (place.pod,))


def differing(number: int) -> tuple[int, list[str]]:
    """Return how many answers were compared, and those that differ."""
    made = drawn(number)
    stack = read(made.objects, made.world.network_policies, made.world)
    assert (stack.refused, stack.unread) == ((), ())
    engine = engine_for(made.world, Profile(Semantics.ANTREA, family=made.case.family.name), stack)
    plain = Antrea(made.world, made.case.family.name, made.objects)
    taken = {p.status.pod_ip for p in made.world.pods}
    ends = list(places(plain, (a for a in made.case.addresses if a not in taken)))
    count, found = 0, []
    for source, destination in product(ends, ends):
        if source is destination or (source.pod is None and destination.pod is None):
            continue
        answer = engine.connections(party(engine, source), party(engine, destination))
        for packet in made.packets:
            wanted = plain.flows(source, destination, packet)
            mine = (answer.every.allows(*packet), answer.some.allows(*packet))
            count += 1
            if mine != (wanted == {True}, True in wanted):
                found.append(f"{number}: {source} -> {destination} {packet}: the engine says {mine}, the slow way {wanted}")
    return count, found


@OFTEN
@given(st.integers(0, 2**64 - 1))
def test_both_decide_alike(number: int) -> None:
    count, found = differing(number)
    assert count > 0
    if found:
        pytest.fail("\n".join(found[:5]), pytrace=False)
