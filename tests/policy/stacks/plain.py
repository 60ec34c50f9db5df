"""What a stack says about one connection, asked as slowly and plainly as can be, with nothing of the product's own reckoning.

`pairwise` draws random stacks and says which outcomes are possible; this one is for those who have a stack from a reader and two
ends in hand. It has its own reading of formulas, so that it does not share a mistake with `eksnetpol.policy.stacks.ends`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import NamedTuple

from eksnetpol.model.kubernetes import Pod
from eksnetpol.policy.ports import EVERY_PORT
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.stacks.ends import End
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
from eksnetpol.policy.stacks.rules import Does, Stack, StackRule, StackTier
from eksnetpol.policy.world import World
from tests.policy.oracle.plain import PORTED, declared


class Sides(NamedTuple):
    """What either side says: it lets the connection pass, it does not, or nobody can know (None). Who is no pod lets all pass."""

    egress: bool | None
    ingress: bool | None

    @property
    def allowed(self) -> bool | None:
        """Whether the connection comes about."""
        if False in self:
            return False
        return None if None in self else True


def allowed(
    stack: Stack,
    world: World,
    source: End,
    destination: End,
    protocol: str,
    port: int,
    source_port: int | None = None,
    *,
    names: Mapping[tuple[str, str], int] | None = None,
) -> Sides:
    """Say what both sides of a connection answer. Without a *source_port* what asks for one cannot be known.

    *names* are the ports of the destination by protocol and name, where it is no pod of *world*.
    """
    if names is None:
        ports = {(name, proto): number for proto, name, number in _declared(world, destination) if name}
    else:
        ports = {(name, proto): number for (proto, name), number in names.items()}
    wire = _Wire(protocol, port, source_port, ports)
    return Sides(
        _side(stack, Direction.EGRESS, source, destination, wire), _side(stack, Direction.INGRESS, destination, source, wire)
    )


class _Wire(NamedTuple):
    protocol: str
    port: int
    source_port: int | None
    named: Mapping[tuple[str, str], int]


def _declared(world: World, end: End) -> list[tuple[str, str, int]]:
    """Return the ports of the pod at an end, the first of each name last, so that it wins."""
    if end.kind is not EndKind.POD:
        return []
    return list(reversed(declared(pod_at(world, end), with_sidecars=True)))


def pod_at(world: World, end: End) -> Pod:
    """Return the running pod whose address an end has."""
    found = [p for p in world.pods if p.namespace == end.namespace and p.status.pod_ip == end.address and not p.is_terminal]
    return found[0]


def _side(stack: Stack, direction: Direction, me: End, other: End, wire: _Wire) -> bool | None:
    if me.kind is not EndKind.POD:
        return True
    is_own_node = other.kind in {EndKind.NODE, EndKind.HOST_POD} and bool(me.node) and me.node == other.node
    if direction is Direction.INGRESS and stack.host_may and is_own_node:
        return True
    if any(one.ref.namespace in {"", me.namespace} for one in stack.unread):
        return None
    answers = _from(stack.tiers, direction, me, other, wire)
    return answers.pop() if len(answers) == 1 else None


def _from(tiers: tuple[StackTier, ...], direction: Direction, me: End, other: End, wire: _Wire) -> set[bool]:  # noqa: C901 - as it is told
    """Return all answers that may come of these tiers: what cannot be known is tried both ways."""
    if not tiers:
        return {True}
    tier, later = tiers[0], tiers[1:]
    found: set[bool] = set()
    isolated: bool | None = False
    for policy in tier.policies:
        subject = means(policy.subject, me, None)
        if subject is False:
            continue
        if direction in policy.isolates:
            isolated = True if subject or isolated else None
        for rule in policy.rules:
            if rule.direction is not direction:
                continue
            match = _both(subject, matches(rule, me, other, wire))
            if match is False:
                continue
            found |= _from(later, direction, me, other, wire) if rule.does is Does.PASS else {rule.does is Does.ALLOW}
            if match:
                return found
    if isolated is not False and tier.otherwise in {Does.ALLOW, Does.DENY}:
        found |= {tier.otherwise is Does.ALLOW}
        if isolated:
            return found
    return found | _from(later, direction, me, other, wire)


def _both(one: bool | None, other: bool | None) -> bool | None:
    if one is False or other is False:
        return False
    return True if one and other else None


def matches(rule: StackRule, me: End, other: End, wire: _Wire) -> bool | None:
    """Say whether a rule matches a connection of *me*; None where nobody can know."""
    says = rule.connections.allows(wire.protocol, wire.port)
    for name in rule.names:
        if wire.protocol in PORTED and name.protocol in {"", wire.protocol}:
            says = says or wire.named.get((name.name, wire.protocol)) == wire.port
    answer = _both(_both(says, means(rule.peer, other, me)), means(rule.local, me, None))
    if rule.source_ports != EVERY_PORT:
        known = None if wire.source_port is None else wire.source_port in rule.source_ports
        answer = _both(answer, known if wire.protocol in PORTED else False)
    if rule.judged_further and rule.does is not Does.ALLOW:
        answer = _both(answer, None)
    return answer


def means(formula: Formula, end: End, other: End | None) -> bool | None:  # noqa: C901, PLR0911 - a case a line
    """Say whether a formula means an end, with *other* at the far end; None where nobody can know."""
    is_pod = end.kind in {EndKind.POD, EndKind.HOST_POD}
    match formula:
        case And(parts):
            said = [means(part, end, other) for part in parts]
            return False if False in said else None if None in said else True
        case Or(parts):
            said = [means(part, end, other) for part in parts]
            return True if True in said else None if None in said else False
        case Not(part):
            said_of = means(part, end, other)
            return None if said_of is None else not said_of
        case Unknowable():
            return None
        case Is(kinds):
            return end.kind in kinds
        case Within(networks):
            return _within(end, [str(n) for n in networks])
        case OnNode():
            is_pods = other is not None and other.kind is EndKind.POD and end.kind not in {EndKind.POD, EndKind.OUTSIDE}
            return is_pods and other is not None and bool(end.node) and end.node == other.node
        case SameNamespace(keys):
            if not is_pod or other is None or other.kind not in {EndKind.POD, EndKind.HOST_POD}:
                return False
            if not keys:
                return end.namespace == other.namespace
            return all(
                key in end.namespace_labels
                and key in other.namespace_labels
                and end.namespace_labels[key] == other.namespace_labels[key]
                for key in keys
            )
        case Named(scope, names):
            return is_pod and (end.account if scope is Scope.ACCOUNT else end.namespace) in names
        case Label(scope, key, test, values):
            labels = {Scope.POD: end.labels, Scope.NAMESPACE: end.namespace_labels, Scope.ACCOUNT: end.account_labels}[scope]
            return is_pod and key in labels and _meets(labels[key], test, values)


def _meets(value: str, test: Test, values: frozenset[str]) -> bool:
    if test is Test.EXISTS:
        return True
    if test is Test.IN:
        return value in values
    [text] = values
    return {Test.CONTAINS: text in value, Test.STARTS: value.startswith(text), Test.ENDS: value.endswith(text)}[test]


def _within(end: End, blocks: list[str]) -> bool:
    nets = [ipaddress.ip_network(b) for b in blocks]
    if not end.address:
        return any(n.prefixlen == 0 and end.version in {0, n.version} for n in nets)
    return any(ipaddress.ip_address(end.address) in n for n in nets)
