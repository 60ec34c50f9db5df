"""Addresses outside of the cluster, cut where answers may change.

CIDRs are nested or apart, never half in one another. So the blocks that some policies name are a tree below the block of all
addresses, and what is in a block but in none of those below it is an *atom*: no policy can tell two of its addresses apart.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from eksnetpol.policy.addresses import Network, parse_cidr
from eksnetpol.policy.cidrs import LAST
from eksnetpol.policy.ports import Interval, PortSet

RESERVED = {
    4: ("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/3"),
    6: ("::/3", "4000::/2", "8000::/1"),
}  # fmt: skip
"""What nobody reaches over the internet: https://www.iana.org/assignments/iana-ipv4-special-registry, and for IPv6 all but the
one block that global unicast addresses are given out from."""

_PREFERRED = {4: parse_cidr("203.0.113.0/24"), 6: parse_cidr("2001:db8::/32")}
"""Blocks for documentation, so that a made-up address is nobody's."""


@cache
def public(version: int) -> PortSet:
    """Return the addresses of the internet, as numbers of family *version* (4 or 6)."""
    taken = [_interval(n) for n in map(parse_cidr, RESERVED[version]) if n is not None]
    return PortSet([(0, LAST[version])]) - PortSet(taken)


@dataclass(frozen=True, slots=True)
class Atom:
    """Addresses that are in *block*, and in no narrower one. ``intervals`` are their numbers, ascending."""

    block: Network
    intervals: tuple[Interval, ...]

    @property
    def version(self) -> int:
        """4 or 6."""
        return self.block.version

    @property
    def is_rest(self) -> bool:
        """True of the addresses that are in no block but that of all."""
        return self.block.prefixlen == 0

    def within(self, space: PortSet) -> Atom | None:
        """Return the part of it that is in *space*; None where that is empty."""
        common = (PortSet(self.intervals) & space).intervals
        return Atom(self.block, common) if common else None

    def sample(self, avoid: Collection[str] = ()) -> str:
        """Return one of its addresses that is not among *avoid*; empty where they all are.

        It is a public one where it can be, and one for documentation above all.
        """
        own = PortSet(self.intervals)
        made_up = _PREFERRED[self.version]
        first = [] if made_up is None else (own & PortSet([_interval(made_up)])).intervals
        for low, high in (*first, *(own & public(self.version)).intervals, *self.intervals):
            # The first address of a block is its network's own, which reads oddly.
            for number in (*range(min(low + 1, high), min(high, low + len(avoid) + 1) + 1), low):
                text = str(ipaddress.IPv4Address(number) if self.version == 4 else ipaddress.IPv6Address(number))  # noqa: PLR2004
                if text not in avoid:
                    return text
        return ""


def cut(blocks: Iterable[str], version: int) -> tuple[Atom, ...]:
    """Return the atoms of *blocks* of family *version*, that of the rest first, then by address; empty ones are left out."""
    networks = {n for n in map(parse_cidr, blocks) if n is not None and n.version == version and n.prefixlen}
    whole = parse_cidr("0.0.0.0/0" if version == 4 else "::/0")  # noqa: PLR2004 - the family
    ordered = sorted(networks, key=lambda n: (int(n.network_address), n.prefixlen))
    children: dict[Network, list[Network]] = {}
    path: list[Network] = [] if whole is None else [whole]
    for network in ordered:
        while int(path[-1].broadcast_address) < int(network.network_address):
            path.pop()
        children.setdefault(path[-1], []).append(network)
        path.append(network)
    tops = [] if whole is None else [whole]
    found = (Atom(n, _own(n, children)) for n in (*tops, *ordered))
    return tuple(atom for atom in found if atom.intervals)


def _own(network: Network, children: Mapping[Network, list[Network]]) -> tuple[Interval, ...]:
    low, last = _interval(network)
    gaps: list[Interval] = []
    for child in children.get(network, ()):
        first, high = _interval(child)
        if low < first:
            gaps.append((low, first - 1))
        low = high + 1
    if low <= last:
        gaps.append((low, last))
    return tuple(gaps)


def _interval(network: Network) -> Interval:
    return int(network.network_address), int(network.broadcast_address)
