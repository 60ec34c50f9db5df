"""Small clusters with tiers of plain rules made up at random, and with NetworkPolicies that stay among them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any, cast

from eksnetpol.engines.kubernetes_policies import stack_tier
from eksnetpol.model.findings import Subject
from eksnetpol.model.kubernetes import Pod
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.policy.addresses import parse_cidr
from eksnetpol.policy.connections import EVERYTHING, Connections
from eksnetpol.policy.ports import PortSet
from eksnetpol.policy.profile import Profile
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.stacks.ends import End, end_at, end_of_pod
from eksnetpol.policy.stacks.formulas import EVERYBODY, And, EndKind, Formula, Is, Label, Named, Not, Or, Scope, Test, Within
from eksnetpol.policy.stacks.rules import Does, Stack, StackPolicy, StackRule, StackTier
from eksnetpol.policy.world import World
from eksnetpol.translation.comparing import after
from eksnetpol.translation.values import Output
from tests.migration.promise import MAKERS
from tests.policy.oracle.plain import Packet, Place
from tests.policy.oracle.strategies import decoded
from tests.policy.oracle.vpc_cni import VpcCni
from tests.policy.stacks.pairwise import Coming, Stacked, outcomes

Json = dict[str, Any]

PROFILE = Profile(family="ipv4")
VPC = ("10.0.0.0/16",)
PODS = Is(frozenset({EndKind.POD}))
OUTSIDE = ("192.0.2.10", "203.0.113.5", "203.0.113.200")
BLOCKS = ("192.0.2.0/24", "203.0.113.0/25", "203.0.113.0/24")
PACKETS = (Packet("TCP", 80), Packet("TCP", 443), Packet("UDP", 80), Packet("ICMP", 2048))


def tiered(number: int) -> tuple[World, Stack]:
    """Return the cluster and stack that follow from *number*: tiers before NetworkPolicies, these, perhaps one behind them."""
    return _Maker(number).made()


class _Maker:
    def __init__(self, number: int) -> None:
        self.chance = random.Random(number)  # noqa: S311 - nothing depends on nobody guessing it
        self.world = MAKERS["upstream"](number).world
        self.namespaces = sorted(self.world.namespace_labels)

    def maybe(self, share: float) -> bool:
        return self.chance.random() < share

    def made(self) -> tuple[World, Stack]:
        one = self.chance.choice
        kept = decoded([self.standard(n) for n in range(one((0, 1, 2)))], NetworkPolicy)
        world = replace(self.world, network_policies=kept)
        ends = one((None, None, Does.PASS, Does.DENY))
        tiers = [self.tier(f"t{n}", ends if n else None) for n in range(one((1, 1, 2)))]
        own = stack_tier(kept, world)
        if self.maybe(0.3):
            # As Calico has them: in one tier with policies of its own.
            own = replace(own, policies=(*self.policies("mixed", 2, isolates=True), *own.policies, *self.policies("after", 1)))
        last = [self.tier("last", None)] if self.maybe(0.6) else []
        return world, Stack("random", (*tiers, own, *last))

    def tier(self, name: str, otherwise: Does | None) -> StackTier:
        return StackTier(name, tuple(self.policies(name, 3, isolates=otherwise is Does.DENY)), otherwise)

    def policies(self, name: str, most: int, *, isolates: bool = False) -> Iterator[StackPolicy]:
        for number in range(self.chance.randint(0, most)):
            rules = tuple(self.rule(f"rule[{at}]") for at in range(self.chance.randint(1, 3)))
            closed = frozenset(d for d in Direction if isolates and self.maybe(0.5))
            yield StackPolicy(Subject("Policy", f"{name}-{number}"), self.pods(), closed, rules)

    def rule(self, place: str) -> StackRule:
        direction = self.chance.choice(tuple(Direction))
        does = self.chance.choice((Does.ALLOW, Does.DENY, Does.DENY, Does.PASS))
        peer = self.pods()
        if direction is Direction.EGRESS and self.maybe(0.35):
            peer = self.chance.choice((self.block(), self.block(), Or((peer, self.block())), EVERYBODY))
        return StackRule(direction, does, peer=peer, connections=self.connections(), place=place)

    def pods(self) -> Formula:
        parts = [PODS, *(self.label() for _ in range(self.chance.choice((0, 1, 1, 2))))]
        if self.maybe(0.1):
            parts.append(Or((self.label(), self.label())))
        return And(tuple(parts))

    def label(self) -> Formula:
        key, value = self.chance.choice(("app", "tier")), self.chance.choice("ab")
        scope = self.chance.choice((Scope.POD, Scope.POD, Scope.NAMESPACE))
        choices: list[Formula] = [
            *[Label(scope, key, Test.IN, frozenset({value}))] * 3,
            Label(scope, key, Test.EXISTS),
            Named(Scope.NAMESPACE, frozenset({self.chance.choice(self.namespaces)})),
        ]
        found = self.chance.choice(choices)
        return Not(found) if self.maybe(0.25) else found

    def block(self) -> Formula:
        networks = [n for n in map(parse_cidr, self.chance.sample(BLOCKS, self.chance.choice((1, 2)))) if n is not None]
        return Within(frozenset(networks))

    def connections(self) -> Connections:
        return self.chance.choice(
            (
                EVERYTHING,
                EVERYTHING,
                Connections.only("TCP"),
                Connections.only("TCP", PortSet([(79, 91)])),
                Connections.only("UDP"),
            )
        )

    def standard(self, number: int) -> Json:
        selector = {"matchLabels": {self.chance.choice(("app", "tier")): self.chance.choice("ab")}}
        types = self.chance.choice((["Ingress"], ["Egress"], ["Ingress", "Egress"]))
        peers = [{"namespaceSelector": {}, "podSelector": selector}]
        rules = {t.lower(): [{"from" if t == "Ingress" else "to": peers}] for t in types if self.maybe(0.8)}
        spec = {"podSelector": self.chance.choice(({}, selector)), "policyTypes": types, **rules}
        return {"metadata": {"name": f"np{number}", "namespace": self.chance.choice(self.namespaces)}, "spec": spec}


def differences(world: World, stack: Stack, made: tuple[Output, ...]) -> Iterator[tuple[str, str]]:
    """Yield ``more`` or ``less`` with a connection, asked pair by pair: the stack before, the controller and the agent after."""
    case = Stacked(cast("Any", None), world, stack)
    later = VpcCni(after(world, made), PROFILE)
    places = {place.address: place for place in later.cluster.pods()}
    pods = {p.status.pod_ip: p for p in world.pods if not p.spec.host_network}
    for source, destination in product((*pods, *OUTSIDE), repeat=2):
        if source == destination or not {source, destination} & set(pods):
            continue
        ends = [_end(world, pods, address) for address in (source, destination)]
        for packet in PACKETS:
            coming = Coming(pods.get(destination), packet)
            sides = (
                outcomes(case, Direction.EGRESS, ends[0], ends[1], coming),
                outcomes(case, Direction.INGRESS, ends[1], ends[0], coming),
            )
            was = sides == ({True}, {True})
            now = later.flows(places.get(source) or Place(source), places.get(destination) or Place(destination), packet)
            if now is not was:
                yield ("less" if now is False else "more"), f"{source} to {destination} {packet}: {was}, then {now}"


def _end(world: World, pods: dict[str, Pod], address: str) -> End:
    return end_of_pod(world, pods[address]) if address in pods else end_at(world, address)
