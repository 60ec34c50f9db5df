"""Stacks over small clusters, made up at random, and what they come to asked the slow way: pair by pair, rule by rule."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import msgspec

from eksnetpol.model.findings import Subject
from eksnetpol.model.kubernetes import Pod, ServiceAccount
from eksnetpol.policy.addresses import parse_cidr
from eksnetpol.policy.connections import EVERYTHING, WITH_PORTS, Connections
from eksnetpol.policy.ports import EVERY_PORT, PortSet
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.stacks.ends import End, end_at, end_of_pod, holds
from eksnetpol.policy.stacks.formulas import (
    And,
    EndKind,
    Formula,
    Is,
    Label,
    Named,
    Not,
    OnNode,
    Or,
    SameNamespace,
    Scope,
    Test,
    Unknowable,
    Within,
)
from eksnetpol.policy.stacks.rules import Does, PortName, Refused, Stack, StackPolicy, StackRule, StackTier
from eksnetpol.policy.world import World
from tests.policy.oracle.plain import Packet, named
from tests.policy.oracle.strategies import NAMESPACES, Case, draw

FROM = (53, 1500, 2040, 2500)
"""A port of each kind that `SOURCE_PORTS` tell apart."""
SOURCE_PORTS = (PortSet([(1024, 2047)]), PortSet([(1024, 2047)]), PortSet([(2000, 65535)]), EVERY_PORT - PortSet([(1024, 2047)]))
POD = Is(frozenset({EndKind.POD}))
UNREAD = (
    Refused(Subject("NetworkPolicy", "odd", "bank"), "unknown field spec.twist"),
    Refused(Subject("GlobalNetworkPolicy", "odd"), "unknown field spec.twist"),
)


@dataclass(frozen=True)
class Stacked:
    """A cluster, a stack, and what to ask about."""

    case: Case
    world: World
    stack: Stack

    @cached_property
    def ends(self) -> dict[tuple[str, str], End]:
        """All pods that run, as ends."""
        return {(p.namespace, p.name): end_of_pod(self.world, p) for p in self.world.pods if not p.is_terminal}

    @cached_property
    def pods(self) -> dict[tuple[str, str], Pod]:
        """All pods that run."""
        return {(p.namespace, p.name): p for p in self.world.pods if not p.is_terminal}


def stacked(number: int) -> Stacked:
    """Return the cluster and stack that follow from *number*."""
    case = draw(number, upstream=False)
    chance = random.Random(number)  # noqa: S311 - nothing depends on nobody guessing it
    accounts = [
        {"metadata": {"name": name, "namespace": namespace, "labels": {"app": chance.choice("ab")}}}
        for namespace in NAMESPACES
        for name in ("default", "web")
        if chance.random() < 0.7
    ]
    objects = {**case.objects, "pods": [_dressed(p, chance) for p in case.objects["pods"]]}
    own = replace(case, objects=objects)
    world = replace(
        own.world,
        service_accounts=msgspec.convert(accounts, tuple[ServiceAccount, ...]),
        network_policies=(),
        application_policies=(),
        cluster_policies=(),
    )
    return Stacked(own, world, _Maker(chance, own).stack())


def _dressed(pod: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """Give a pod an account, and maybe mates: an owner, and nothing else that would tell them apart."""
    name, node = pod["metadata"]["name"], pod["status"].get("hostIP")
    if name.startswith("web-") and node and chance.random() < 0.3:
        spec = {"hostNetwork": True, "containers": [{"name": "c"}], "nodeName": pod["spec"].get("nodeName", "")}
        pod = {**pod, "spec": spec, "status": pod["status"] | {"podIP": node}}
    account = {"serviceAccountName": chance.choice(("", "default", "web"))}
    if not name.startswith(("web-", "db-")) or chance.random() < 0.3:
        return {**pod, "spec": pod["spec"] | account}
    owner = name.partition("-")[0]
    meta = {"labels": {"app": "a"}, "ownerReferences": [{"kind": "StatefulSet", "name": owner, "uid": owner, "controller": True}]}
    spec = {key: value for key, value in pod["spec"].items() if key in {"nodeName", "hostNetwork"}}
    return {**pod, "metadata": pod["metadata"] | meta, "spec": {**spec, "containers": [{"name": "c"}]}}


class _Maker:
    def __init__(self, chance: random.Random, case: Case) -> None:
        self.chance = chance
        self.case = case
        # Without blocks to tell them apart, pods of one owner are one class, on several nodes.
        texts = case.family.blocks[:1] if chance.random() < 0.4 else (*case.family.blocks, *case.family.outside)
        self.blocks = [n for n in map(parse_cidr, texts) if n is not None]

    def stack(self) -> Stack:
        chance = self.chance
        tiers = tuple(self.tier(f"t{i}") for i in range(chance.choice((1, 2, 2, 3))))
        unread = chance.choice(((), (), (), (), UNREAD[:1], UNREAD[1:]))
        return Stack("random", tiers, host_may=chance.random() < 0.7, unread=unread)

    def tier(self, name: str) -> StackTier:
        policies = tuple(self.policy(f"{name}p{i}") for i in range(self.chance.randint(0, 3)))
        return StackTier(name, policies, self.chance.choice((Does.DENY, Does.DENY, Does.PASS, Does.ALLOW, None)))

    def policy(self, name: str) -> StackPolicy:
        rules = tuple(self.rule(f"rule[{i}]") for i in range(self.chance.randint(0, 4)))
        isolates = frozenset(d for d in Direction if self.chance.random() < 0.5)
        whom = And((POD, self.formula(2, alone=True)))
        if self.chance.random() < 0.05:
            whom = And((*whom.parts, Unknowable("another cluster")))
        return StackPolicy(Subject("Policy", name), whom, isolates, rules)

    def rule(self, place: str) -> StackRule:
        chance = self.chance
        names = tuple(
            PortName(chance.choice(("http", "dns")), chance.choice(("", "TCP", "UDP"))) for _ in range(chance.randint(0, 1))
        )
        return StackRule(
            chance.choice(tuple(Direction)),
            chance.choice((Does.ALLOW, Does.ALLOW, Does.DENY, Does.PASS)),
            peer=self.formula(3),
            local=self.formula(1, alone=True) if chance.random() < 0.2 else And(()),
            connections=self.connections(),
            names=names if chance.random() < 0.4 else (),
            source_ports=chance.choice(SOURCE_PORTS) if chance.random() < 0.1 else EVERY_PORT,
            judged_further=("HTTP",) if chance.random() < 0.1 else (),
            place=place,
        )

    def connections(self) -> Connections:
        found = self.chance.choice(("all", "all", "TCP", "80", "79-91", "UDP", "ICMP", "none"))
        match found:
            case "all":
                return EVERYTHING
            case "80":
                return Connections.only("TCP", PortSet.of(80))
            case "79-91":
                return Connections({"TCP": PortSet([(79, 91)]), "UDP": PortSet([(80, 90)])})
            case "none":
                return Connections()
            case protocol:
                return Connections.only(protocol)

    def formula(self, depth: int, *, alone: bool = False) -> Formula:
        chance = self.chance
        if depth and chance.random() < 0.7:
            parts = tuple(self.formula(depth - 1, alone=alone) for _ in range(chance.choice((1, 2, 2, 3))))
            return chance.choice((And(parts), Or(parts), Not(parts[0])))
        return self.atom(alone=alone)

    def atom(self, *, alone: bool) -> Formula:
        chance = self.chance
        scope = chance.choice((Scope.POD, Scope.POD, Scope.NAMESPACE, Scope.ACCOUNT))
        key = chance.choice(("app", "tier"))
        blocks = frozenset(chance.choices(self.blocks, k=chance.choice((1, 2))))
        found: list[Formula] = [
            *[Label(scope, key, Test.IN, frozenset(chance.sample("abc", chance.choice((1, 1, 2)))))] * 4,
            Label(scope, key, Test.EXISTS),
            Label(scope, key, chance.choice((Test.CONTAINS, Test.STARTS, Test.ENDS)), frozenset("a")),
            chance.choice((Named(Scope.NAMESPACE, frozenset({"shop"})), Named(Scope.ACCOUNT, frozenset({"web"})))),
            Is(frozenset(chance.sample(tuple(EndKind), chance.choice((1, 2, 3))))),
            *[Within(blocks)] * 2,
        ]
        if not alone:
            found += [
                Unknowable("a domain name") if chance.random() < 0.4 else And(()),
                *[OnNode()] * 2,
                *[SameNamespace(chance.choice(((), (), ("app",), ("app", "tier"))))] * 2,
            ]
        return chance.choice(found)


# --- the slow way -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Coming:
    """A packet, to a pod or None, and the port it comes from."""

    pod: Pod | None
    packet: Packet
    source_port: int = FROM[0]


def outcomes(made: Stacked, direction: Direction, me: End, other: End, coming: Coming) -> set[bool]:
    """Return what one side may answer: one outcome, or both where nobody can know. *me* is the side's own pod."""
    stack = made.stack
    if me.kind is not EndKind.POD:
        return {True}
    if direction is Direction.INGRESS and stack.host_may and holds(OnNode(), other, me):
        return {True}
    for one in stack.unread:
        if one.ref.namespace in {"", me.namespace}:
            return {True, False}
    return _tier(stack, 0, direction, me, other, coming)


def _tier(stack: Stack, at: int, direction: Direction, me: End, other: End, coming: Coming) -> set[bool]:
    if at == len(stack.tiers):
        return {True}
    tier = stack.tiers[at]

    def after() -> set[bool]:
        return _tier(stack, at + 1, direction, me, other, coming)

    found: set[bool] = set()
    said = {Does.ALLOW: lambda: {True}, Does.DENY: lambda: {False}, Does.PASS: after}
    for policy, rule in _rules(tier, direction, me):
        matches = _matches(policy, rule, me, other, coming)
        if matches is not False:
            found |= said[rule.does]()
        if matches:
            return found
    return found | _end(tier, direction, me, after)


def _end(tier: StackTier, direction: Direction, me: End, after: Callable[[], set[bool]]) -> set[bool]:
    """Return what happens to what no rule of a tier settles."""
    isolated = {holds(p.subject, me) for p in tier.policies if direction in p.isolates}
    if tier.otherwise in {Does.DENY, Does.ALLOW}:
        end = {tier.otherwise is Does.ALLOW}
        if True in isolated:
            return end
        if None in isolated:
            return end | after()
    return after()


def _rules(tier: StackTier, direction: Direction, me: End) -> Iterator[tuple[StackPolicy, StackRule]]:
    for policy in tier.policies:
        if holds(policy.subject, me) is not False:
            yield from ((policy, rule) for rule in policy.rules if rule.direction is direction)


def _matches(policy: StackPolicy, rule: StackRule, me: End, other: End, coming: Coming) -> bool | None:
    pod, packet = coming.pod, coming.packet
    means = holds(And((rule.peer,)), other, me)
    means = None if means and holds(policy.subject, me) is None else means
    if means is False or not holds(rule.local, me):
        return False
    spoken = rule.connections.allows(*packet)
    if pod is not None and not pod.spec.host_network and packet.protocol in WITH_PORTS:
        for name in rule.names:
            if name.protocol in {"", packet.protocol}:
                spoken = spoken or named(pod, packet.protocol, name.name, with_sidecars=True) == packet.number
    is_limited = rule.source_ports != EVERY_PORT
    if not spoken or (is_limited and (packet.protocol not in WITH_PORTS or coming.source_port not in rule.source_ports)):
        return False
    if rule.judged_further and rule.does is not Does.ALLOW:
        return None
    return means


Place = tuple[str, str] | str
"""A pod by namespace and name, or an address that is no pod's."""


def flows(made: Stacked, source: Place, destination: Place, packet: Packet) -> set[bool]:
    """Return what may come of a connection between pods, by namespace and name, and addresses."""
    ends = [end_at(made.world, one) if isinstance(one, str) else made.ends[one] for one in (source, destination)]
    pod = None if isinstance(destination, str) else made.pods[destination]
    found: set[bool] = set()
    for port in FROM:
        coming = Coming(pod, packet, port)
        out = outcomes(made, Direction.EGRESS, ends[0], ends[1], coming)
        into = outcomes(made, Direction.INGRESS, ends[1], ends[0], coming)
        found |= {one and other for one in out for other in into}
    return found
