"""The promise on stacks made up at random: more flows only where it is said, and so does less."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from eksnetpol.model.kubernetes import Pod
from eksnetpol.policy.answers import Addresses, Engine, Party, Pods
from eksnetpol.policy.connections import Connections
from eksnetpol.policy.difference import first_of
from eksnetpol.policy.engine import build_engine
from eksnetpol.policy.profile import Profile
from eksnetpol.policy.stacks.engine import engine_for
from eksnetpol.translation import Options, Verdict, translate
from eksnetpol.translation.comparing import after
from tests.policy.stacks.pairwise import Stacked, stacked

BLOCK = 20


def party(engine: Engine, end: Pod | str) -> Party:
    if isinstance(end, str):
        return Addresses(f"{end}/{128 if ':' in end else 32}", end)
    return Pods(1 << engine.atlas.class_of[end.namespace, end.name], end.name, (end,))


def is_near(case: Stacked, one: Pod | str, other: Pod | str) -> bool:
    """Say whether one is the node of the other: the agent lets these speak, whatever is written."""
    hosts = [(e.spec.host_network, e.status.host_ip or e.status.pod_ip) for e in (one, other) if not isinstance(e, str)]
    hosts += [(True, case.world.node_addresses[e]) for e in (one, other) if isinstance(e, str) and e in case.world.node_addresses]
    (mine, here), (theirs, there) = hosts if len(hosts) == 2 else ((False, "a"), (False, "b"))
    return (mine or theirs) and here == there


def differences(case: Stacked, before: Engine, target: Engine, family: str) -> Iterator[tuple[str, Connections]]:
    made_up = "203.0.113.9" if family == "ipv4" else "2001:db8::9"
    ends: list[Pod | str] = [*case.pods.values(), *(a for a in case.case.family.outside if "/" not in a), made_up]
    for source in ends:
        for destination in ends:
            if source is destination or (isinstance(source, str) and isinstance(destination, str)):
                continue
            if is_near(case, source, destination):
                continue
            was = before.connections(party(before, source), party(before, destination)).some
            now = target.connections(party(target, source), party(target, destination)).some
            if now - was:
                shown = first_of(now - was)
                assert shown is not None
                notes = target.decide(party(target, source), party(target, destination), *shown).notes
                # Pods whose names begin alike are one to the agent: no policy can tell them apart.
                if not any("begin alike" in note for note in notes):
                    yield "more", now - was
            if was - now:
                yield "less", was - now


@pytest.mark.parametrize("start", range(0, 80, BLOCK))
def test_what_is_not_as_before_is_named(start: int) -> None:
    told: set[str] = set()
    for number in range(start, start + BLOCK):
        case = stacked(number)
        if case.stack.unread:
            continue
        family = case.world.family or "ipv4"
        profile = Profile(family=family)
        found = translate(case.stack, case.world, Options(profile=profile, compare=False))
        before, target = engine_for(case.world, profile, case.stack), build_engine(after(case.world, found.outputs), profile)
        different = dict(differences(case, before, target, family))
        assert "more" not in different, (number, different)
        if "less" in different:
            assert any(j.verdict in {Verdict.STRICTER, Verdict.NONE} and j.reason for j in found.judged), (number, different)
        told |= different.keys()
    assert told
