"""How full the agent's maps get, and how much they hold."""

from __future__ import annotations

from dataclasses import dataclass

from eksnetpol.assets.releases import Matrix
from eksnetpol.facts import matrix, platform, policing, vpc_cni  # noqa: F401 - what is asked for below must be declared first
from eksnetpol.facts.declare import fact
from eksnetpol.model.kubernetes import Service
from eksnetpol.model.snapshot import Unread
from eksnetpol.model.versions import Release
from eksnetpol.policy.capacity import World
from eksnetpol.policy.crowds import Crowded, crowded, crowded_alone
from eksnetpol.policy.declared import DeclaredPorts
from eksnetpol.policy.identities import Identities
from eksnetpol.policy.isolation import Isolation
from eksnetpol.policy.rules import Rules

ROOM = 24
"""Entries of port and protocol for one address, since agent v1.0.5 (aws/aws-network-policy-agent#102)."""
ROOM_BEFORE = {"ipv4": 8, "ipv6": 4}
"""The same for agents before, by the cluster's family."""
PLENTY = 18
"""Up to here there is room to grow."""


@dataclass(frozen=True, slots=True)
class Room:
    """How many entries an address surely has room for, and how many at best; the same where agent and family are known."""

    sure: int
    best: int
    doubt: str = ""


@fact
def room(agent_release: Release | Unread, ip_family: str | Unread, releases: Matrix) -> Room:
    """The room that the running agent has for one address."""
    since = releases.feature["many-ports"].agent
    if isinstance(agent_release, Unread):
        least = min(ROOM_BEFORE.values()) if isinstance(ip_family, Unread) else ROOM_BEFORE[ip_family]
        return Room(least, ROOM, agent_release.reason)
    if since is None or agent_release.base >= since:
        return Room(ROOM, ROOM)
    if isinstance(ip_family, Unread):
        return Room(min(ROOM_BEFORE.values()), max(ROOM_BEFORE.values()), ip_family.reason)
    return Room(ROOM_BEFORE[ip_family], ROOM_BEFORE[ip_family])


@fact
def crowds(
    rules: Rules,
    isolation: Isolation | Unread,
    identities: Identities | Unread,
    declared_ports: DeclaredPorts | Unread,
    services: tuple[Service, ...] | Unread,
    ip_family: str | Unread,
    room: Room,
) -> tuple[Crowded, ...]:
    """Where more entries come together on one address than there is plenty of room for.

    Without pods each policy is looked at alone: more than one may select a pod, so there can be more than is seen.
    """
    family = None if isinstance(ip_family, Unread) else int(ip_family.removeprefix("ipv"))
    above = min(PLENTY, room.sure)
    if isinstance(isolation, Unread) or isinstance(identities, Unread) or isinstance(declared_ports, Unread):
        return crowded_alone(rules, family, above)
    known = () if isinstance(services, Unread) else services
    return crowded(rules, isolation, identities, World(isolation.universe, declared_ports, known), family, above)
