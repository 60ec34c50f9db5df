"""Rules that ask for the ports that connections come from: those that ask alike match alike, whoever wrote them."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from eksnetpol.model.findings import Subject
from eksnetpol.policy.answers import Pods
from eksnetpol.policy.connections import EVERYTHING, Connections
from eksnetpol.policy.ports import EVERY_PORT, PortSet
from eksnetpol.policy.profile import Profile, Semantics
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.stacks.engine import engine_for
from eksnetpol.policy.stacks.formulas import EVERYBODY
from eksnetpol.policy.stacks.rules import Does, Stack, StackPolicy, StackRule, StackTier
from eksnetpol.policy.stacks.source_ports import ANY, kinds
from eksnetpol.policy.world import World
from tests.migration.clusters import world

HIGH, SOME, ALL = PortSet([(1024, 65535)]), PortSet([(1024, 2000)]), EVERY_PORT
OTHERS = EVERY_PORT - SOME
IN, OUT = Direction.INGRESS, Direction.EGRESS
NO, YES, PERHAPS = (False, False), (True, True), (False, True)
Said = tuple[Direction, Does, PortSet]


def stack(*said: Said) -> Stack:
    """Return a stack that isolates every pod, with rules about everybody in their order."""
    rules = tuple(
        StackRule(direction, does, source_ports=ports, place=f"rule[{at}]") for at, (direction, does, ports) in enumerate(said)
    )
    policy = StackPolicy(Subject("Policy", "p"), EVERYBODY, frozenset({d for d, _, _ in said}), rules)
    return Stack("test", (StackTier("", (policy,)),))


def pods_named(*names: str) -> World:
    """Return a world of pods that differ in a label."""
    plain = {"namespace": "shop", "node": "n1", "serviceAccount": "default"}
    pods = [{**plain, "name": name, "ip": f"10.0.1.{at}", "labels": {"app": name}} for at, name in enumerate(names, 11)]
    return world({"namespaces": [{"name": "shop"}], "pods": pods}, {"n1": "10.0.0.10"})


def answers(own: Stack, protocol: str = "TCP") -> tuple[bool, bool]:
    """Return whether a connection between two pods surely may, and whether it perhaps may; asked in pairs and in sets."""
    here = pods_named("web", "db")
    engine = engine_for(here, Profile(Semantics.KUBERNETES, family="ipv4"), own)
    web, db = (next(p for p in here.pods if p.name == name) for name in ("web", "db"))
    parties = [Pods(1 << engine.atlas.class_of[p.namespace, p.name], p.name, (p,)) for p in (web, db)]
    number = 8 * 256 if protocol == "ICMP" else 80
    both = [engine.connections(*parties), engine.matrix().between(parties[0].classes, parties[1].classes)]
    found = {(answer.every.allows(protocol, number), answer.some.allows(protocol, number)) for answer in both}
    decision = engine.decide(parties[0], parties[1], protocol, number)
    found.add((decision.allowed, decision.allowed or decision.partial))
    assert len(found) == 1, "pairs and sets answer alike"
    return found.pop()


DENY, ALLOW, PASS = Does.DENY, Does.ALLOW, Does.PASS


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (((IN, ALLOW, SOME),), PERHAPS),
        (((IN, DENY, SOME), (IN, ALLOW, SOME)), NO),
        (((IN, DENY, HIGH), (IN, ALLOW, SOME)), NO),
        (((IN, DENY, SOME), (IN, ALLOW, HIGH)), PERHAPS),
        (((IN, DENY, SOME), (IN, ALLOW, OTHERS)), PERHAPS),
        (((IN, ALLOW, SOME), (IN, ALLOW, OTHERS)), YES),
        (((IN, ALLOW, SOME), (IN, DENY, SOME), (IN, ALLOW, OTHERS)), YES),
        (((IN, ALLOW, SOME), (IN, DENY, ALL)), PERHAPS),
        (((IN, PASS, SOME), (IN, ALLOW, OTHERS)), YES),
        (((IN, DENY, SOME), (IN, DENY, OTHERS), (IN, ALLOW, ALL)), NO),
        (((OUT, ALLOW, SOME), (IN, ALLOW, OTHERS)), NO),
        (((OUT, ALLOW, SOME), (IN, ALLOW, HIGH)), PERHAPS),
        (((OUT, DENY, OTHERS), (OUT, ALLOW, ALL), (IN, DENY, SOME), (IN, ALLOW, ALL)), NO),
    ],
)
def test_rules_that_ask_for_the_same_source_ports_match_the_same_connections(
    said: tuple[Said, ...], wanted: tuple[bool, bool]
) -> None:
    assert answers(stack(*said)) == wanted


def test_what_has_no_ports_comes_from_none() -> None:
    assert answers(stack((IN, DENY, SOME), (IN, ALLOW, ALL)), "ICMP") == YES
    assert answers(stack((IN, ALLOW, SOME), (IN, ALLOW, OTHERS)), "ICMP") == NO


def test_where_rules_tell_too_many_ports_apart_the_answer_is_open_and_never_wrong() -> None:
    many = [PortSet([(at * 500 + 1, at * 500 + 500)]) for at in range(100)]
    assert kinds(many) == (ANY,)
    shut: list[Said] = [(IN, DENY, ports) for ports in many]
    assert answers(stack(*shut, (IN, ALLOW, many[0]))) == PERHAPS, "it is no, which would have to be looked for port by port"
    assert answers(stack((IN, DENY, ALL), *((IN, ALLOW, ports) for ports in many))) == NO


def test_one_port_stands_for_each_kind() -> None:
    sets = (SOME, HIGH, PortSet.of(53, 1500))
    found = kinds(sets)
    signature = {tuple(port in ports for ports in sets): port for port in range(1, 65536)}
    assert {tuple(port in ports for ports in sets) for port in found} == set(signature)
    assert len(found) == len(signature)
    assert kinds(()) == (ANY,)


def test_an_address_outside_is_asked_for_each_kind_of_port() -> None:
    for (first, second), wanted in zip(product((SOME, OTHERS), repeat=2), (False, True, True, False), strict=True):
        own = stack((IN, ALLOW, first), (IN, ALLOW, second))
        own = replace(own, host_may=False)
        engine = engine_for(pods_named("web"), Profile(Semantics.KUBERNETES, family="ipv4"), own)
        partition = engine.outside(IN, "192.0.2.1")
        opened = any(connections & Connections.only("TCP") == Connections.only("TCP") for connections, _ in partition)
        assert opened is wanted
        assert all(connections <= EVERYTHING for connections, _ in partition)
