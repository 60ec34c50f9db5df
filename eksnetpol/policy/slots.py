"""Ports as the node agent's maps hold them, and what a handful of them lets through.

A slot is a protocol, a first port and a last port. The agent writes TCP, UDP and SCTP; a protocol that is absent, unknown or in
lower case becomes *any* (aws/aws-network-policy-agent, pkg/utils; seen on a real kernel). Its programs give every protocol but
those three the port 0, so that only a slot of any protocol without a port lets ICMP and the others through; ICMPv6 is let through
before any map is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from eksnetpol.policy.connections import EVERYTHING, ICMPV6, NOTHING, UNIVERSE, WITH_PORTS, Connections
from eksnetpol.policy.ports import Interval, PortSet

_IPV6 = 6


class Slot(NamedTuple):
    """A port of a PolicyEndpoint, with what is absent as None."""

    protocol: str | None = None
    port: int | None = None
    end_port: int | None = None

    @property
    def compiled(self) -> Slot:
        """The slot as the agent compares it with others: what is absent is empty or 0."""
        return Slot(self.protocol or "", self.port or 0, self.end_port or 0)


EVERY_SLOT = Slot("ANY_IP_PROTOCOL", 0, 0)
"""What the agent writes for an entry without ports."""


@lru_cache(maxsize=2)
def always_through(version: int) -> Connections:
    """Return what passes whatever the maps say: ICMPv6 in IPv6 clusters."""
    return Connections.only(ICMPV6) if version == _IPV6 else NOTHING


@lru_cache(maxsize=1 << 14)
def _through(slot: Slot) -> Connections:
    first, last = slot.port or 0, slot.end_port or 0
    if slot.protocol not in WITH_PORTS:
        if not first:
            return EVERYTHING
        return Connections({p: PortSet([(first, max(first, last))]) for p in WITH_PORTS})
    return Connections.only(slot.protocol, PortSet([(first, max(first, last))]) if first else None)


def passing(slots: Iterable[Slot], version: int) -> Connections:
    """Return what any of *slots* lets through."""
    answer = always_through(version)
    for slot in slots:
        answer |= _through(slot)
    return answer


def at_least(times: int, slots: Iterable[Slot], version: int) -> Connections:
    """Return what at least so many of *slots* let through, each by itself."""
    if times <= 1:
        return passing(slots, version)
    each = [_through(slot) for slot in slots]
    counted = {p: PortSet(_covered(times, (i for c in each for i in c[p].intervals))) for p in UNIVERSE}
    return always_through(version) | Connections(counted)


def _covered(times: int, intervals: Iterable[Interval]) -> Iterator[Interval]:
    """Yield the numbers that are in at least so many of *intervals*."""
    steps: dict[int, int] = {}
    for low, high in intervals:
        steps[low] = steps.get(low, 0) + 1
        steps[high + 1] = steps.get(high + 1, 0) - 1
    depth = 0
    start: int | None = None
    for number, step in sorted(steps.items()):
        depth += step
        if depth >= times and start is None:
            start = number
        elif depth < times and start is not None:
            yield start, number - 1
            start = None
