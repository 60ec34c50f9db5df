"""A stack asked the plainest way: one connection, tier after tier, policy after policy, rule after rule, with what decided."""

from __future__ import annotations

import re
from typing import NamedTuple

from eksnetpol.model.findings import Subject
from eksnetpol.model.kubernetes import Pod
from eksnetpol.policy.connections import WITH_PORTS
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.stacks.ends import End, end_at, end_of_pod, holds
from eksnetpol.policy.stacks.rules import Does, Stack, StackRule
from eksnetpol.policy.world import World


class Decided(NamedTuple):
    """What settled a connection: a rule by its number, or the end of a tier."""

    tier: str
    policy: Subject | None
    rule: int | None


Packet = tuple[str, int, int]
"""Protocol, number as `Connections` has it, and the port that it comes from."""


def decided(
    stack: Stack, world: World, direction: Direction, source: dict[str, str], destination: dict[str, str], packet: Packet
) -> tuple[bool, Decided | None]:
    """Say whether one side lets a connection through, and what decided; None where no tier did."""
    pods = [pod_of(world, one) for one in (source, destination)]
    given = zip((source, destination), pods, strict=True)
    ends = [end_at(world, one["ip"]) if pod is None else end_of_pod(world, pod) for one, pod in given]
    me, other = ends if direction is Direction.EGRESS else reversed(ends)
    for tier in stack.tiers:
        is_isolated = passed = False
        for policy in tier.policies:
            if not holds(policy.subject, me):
                continue
            is_isolated |= direction in policy.isolates
            for rule in policy.rules:
                if rule.direction is direction and speaks(rule, me, other, pods[1], packet):
                    if rule.does is not Does.PASS:
                        number = re.search(r"\[(\d+)\]", rule.place)
                        assert number is not None
                        return rule.does is Does.ALLOW, Decided(tier.name, policy.ref, int(number[1]))
                    passed = True
                    break
            if passed:
                break
        if not passed and is_isolated and tier.otherwise in {Does.DENY, Does.ALLOW}:
            return tier.otherwise is Does.ALLOW, Decided(tier.name, None, None)
    return True, None


def pod_of(world: World, one: dict[str, str]) -> Pod | None:
    return next((p for p in world.pods if f"{p.namespace}/{p.name}" == one.get("pod")), None)


def speaks(rule: StackRule, me: End, other: End, destination: Pod | None, packet: Packet) -> bool:
    protocol, number, port = packet
    if not holds(rule.peer, other, me) or not holds(rule.local, me, other):
        return False
    if str(rule.source_ports) != "1-65535" and (protocol not in WITH_PORTS or port not in rule.source_ports):
        return False
    named = {
        (p.protocol, p.container_port)
        for name in rule.names
        if destination is not None and not destination.spec.host_network
        for c in destination.containers
        for p in c.ports
        if p.name == name.name and name.protocol in {"", p.protocol}
    }
    return rule.connections.allows(protocol, number) or (protocol, number) in named
