"""Connections as ports of a NetworkPolicy: protocols with ports alone, and everything where there are none.

ICMP and other protocols flow only through rules without ports; a rule with ports lets none of them through.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eksnetpol.policy.connections import EVERYTHING, ICMP, ICMPV6, OTHER, UNIVERSE, WITH_PORTS, Connections
from eksnetpol.policy.stacks.rules import PortName

MOST = 24
"""So many ports the agent holds for one address; it drops the rest (aws-network-policy-agent, pkg/ebpf/bpf_client.go)."""


@dataclass(frozen=True, slots=True)
class Ports:
    """``ports`` None: every port and protocol. Empty: nothing of it can be said. ``lost`` is empty where nothing is."""

    ports: tuple[dict[str, Any], ...] | None
    lost: tuple[str, ...] = ()


def of(connections: Connections, name: PortName | None, version: int) -> Ports:
    """Return *connections*, or the port called *name*, in a cluster of family *version*."""
    if name is not None:
        protocols = (name.protocol,) if name.protocol else WITH_PORTS
        return Ports(tuple({"port": name.name, "protocol": protocol} for protocol in protocols))
    if connections == EVERYTHING:
        return Ports(None)
    found = tuple(port for protocol in WITH_PORTS for port in _ports(connections, protocol))
    lost = []
    own = ICMP if version == 4 else ICMPV6  # noqa: PLR2004 - the family
    missing = [protocol for protocol in (own, OTHER) if connections[protocol]]
    if missing:
        what = " and ".join("other protocols" if p == OTHER else p for p in missing)
        lost.append(f"a NetworkPolicy with ports lets no {what} through")
    if len(found) > MOST:
        lost.append(f"the agent holds {MOST} ports for one address and drops the rest; these are {len(found)}")
    return Ports(found, tuple(lost))


def _ports(connections: Connections, protocol: str) -> list[dict[str, Any]]:
    numbers = connections[protocol]
    if numbers == UNIVERSE[protocol]:
        return [{"protocol": protocol}]
    found = []
    for low, high in numbers.intervals:
        port: dict[str, Any] = {"port": low, "protocol": protocol}
        found.append(port if low == high else {**port, "endPort": high})
    return found
