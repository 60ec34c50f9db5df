"""The maps of the node agent as values: what each prefix holds, and what a packet meets there.

`dataplane` makes them of resolved rules and says how.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain

from eksnetpol.policy.addresses import Network, parse_cidr
from eksnetpol.policy.connections import EVERYTHING, NOTHING, Connections
from eksnetpol.policy.slots import Slot, always_through, at_least, passing


@dataclass(frozen=True, slots=True)
class Entry:
    """One resolved rule of a PolicyEndpoint: a block (or a bare address), its exceptions, its ports. No ports: everything.

    ``origin`` is whatever its maker wants to find again in a `Reading`, e.g. the place of the rule; it does not count in
    comparisons.
    """

    cidr: str
    excepts: tuple[str, ...] = ()
    ports: tuple[Slot, ...] = ()
    origin: object = field(default=None, compare=False)


@dataclass(frozen=True)
class Cell:
    """What a map holds for one prefix.

    ``variants`` are the values it may have: which slots it has and which entries gave them; None stands for one that denies.
    There is more than one only where the agent's answer is random. ``capacity`` is how many slots there are room for,
    ``excepting`` are the entries with an ``except`` for this prefix.
    """

    network: Network
    variants: tuple[Mapping[Slot, tuple[Entry, ...]] | None, ...]
    capacity: int
    excepting: tuple[Entry, ...] = ()
    is_node: bool = False

    @cached_property
    def sure(self) -> Connections:
        """What passes however chance decides."""
        answer = EVERYTHING
        for slots in self.variants:
            excess = 0 if slots is None else len(slots) - self.capacity
            answer &= always_through(self.network.version) | (
                NOTHING if slots is None else at_least(max(excess, 0) + 1, slots, self.network.version)
            )
        return answer

    @cached_property
    def possible(self) -> Connections:
        """What may pass."""
        answer = always_through(self.network.version)
        for slots in self.variants:
            answer |= NOTHING if slots is None else passing(slots, self.network.version)
        return answer


@dataclass(frozen=True, slots=True)
class Reading:
    """Which prefix decided about an address, and by what; ``network`` None: none holds the address.

    ``own`` are the entries for exactly that prefix, ``inherited`` those of wider blocks whose ports it took over, ``excepting``
    those whose ``except`` makes it deny. ``is_node``: it is the address of the pod's node, which is always let through.
    """

    network: Network | None
    own: tuple[Entry, ...] = ()
    inherited: tuple[Entry, ...] = ()
    excepting: tuple[Entry, ...] = ()
    is_node: bool = False

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All entries that let something through here."""
        return (*self.own, *self.inherited)


@dataclass(frozen=True)
class AgentMap:
    """One direction of a pod, compiled. ``version`` (4 or 6) is the cluster's: packets of the other family always pass.

    ``doubts`` are what the agent is thought to fail on; the map is what it would be without that.
    """

    version: int
    cells: Mapping[Network, Cell]
    doubts: tuple[str, ...] = ()

    @cached_property
    def _lengths(self) -> tuple[int, ...]:
        return tuple(sorted({n.prefixlen for n in self.cells}, reverse=True))

    def cell(self, ip: str) -> Cell | None:
        """Return what the longest prefix that holds *ip* has; None where no prefix holds it."""
        host = address_of(ip)
        for length in self._lengths:
            cell = self.cells.get(host.supernet(new_prefix=length)) if host.version == self.version else None
            if cell is not None:
                return cell
        return None

    def bounds(self, ip: str) -> tuple[Connections, Connections]:
        """Return what surely passes between the pod and *ip*, and what may pass: what is between the two, chance decides."""
        if address_of(ip).version != self.version:
            return EVERYTHING, EVERYTHING
        cell = self.cell(ip)
        if cell is None:
            return always_through(self.version), always_through(self.version)
        return cell.sure, cell.possible

    def connections(self, ip: str) -> Connections:
        """Return what surely passes between the pod and *ip*."""
        return self.bounds(ip)[0]

    def verdict(self, ip: str, protocol: str, port: int) -> bool | None:
        """Say whether a packet passes; None where that is random. *port* is a number as `Connections` has it."""
        sure, possible = self.bounds(ip)
        if sure.allows(protocol, port):
            return True
        return None if possible.allows(protocol, port) else False

    def deciding(self, ip: str) -> Reading:
        """Return which prefix decides about *ip*, and who is behind it."""
        cell = self.cell(ip)
        if cell is None:
            return Reading(None)
        givers = dict.fromkeys(chain.from_iterable(chain.from_iterable(v.values() for v in cell.variants if v is not None)))
        own = tuple(e for e in givers if parse_cidr(e.cidr) == cell.network)
        inherited = tuple(e for e in givers if parse_cidr(e.cidr) != cell.network)
        denies = None in cell.variants
        return Reading(cell.network, own, inherited, cell.excepting if denies else (), cell.is_node)


def address_of(ip: str) -> Network:
    """Return one address as the block that holds it alone; raise `ValueError` where *ip* is none."""
    host = parse_cidr(ip)
    if host is None or host.prefixlen != host.max_prefixlen:
        message = f"{ip!r} is no address"
        raise ValueError(message)
    return host
