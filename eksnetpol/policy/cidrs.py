"""Sets of addresses: immutable, canonical, with the operators of sets; IPv4 and IPv6 side by side, never mixed up."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator

from eksnetpol.policy.addresses import Network, parse_cidr
from eksnetpol.policy.ports import PortSet

LAST = {4: (1 << 32) - 1, 6: (1 << 128) - 1}
"""The last address of each family, as a number."""


class CidrSet:
    """A set of addresses. ``v4`` and ``v6`` are the numbers of its addresses in each family."""

    __slots__ = ("v4", "v6")

    def __init__(self, v4: PortSet | None = None, v6: PortSet | None = None) -> None:
        self.v4 = PortSet() if v4 is None else v4
        self.v6 = PortSet() if v6 is None else v6

    @classmethod
    def of(cls, *cidrs: str) -> CidrSet:
        """Return the addresses of *cidrs*; raise `ValueError` where one is none."""
        answer = NO_ADDRESSES
        for text in cidrs:
            network = parse_cidr(text)
            if network is None:
                message = f"{text!r} is no CIDR"
                raise ValueError(message)
            answer = answer | _whole(network)
        return answer

    @classmethod
    def block(cls, cidr: str, excepts: Iterable[str] = ()) -> CidrSet:
        """Return the addresses of *cidr* without those of *excepts*, as an ``ipBlock`` means them."""
        return cls.of(cidr) - cls.of(*excepts)

    def __contains__(self, address: object) -> bool:
        if not isinstance(address, str):
            return False
        one = ipaddress.ip_address(address)
        return int(one) in (self.v4 if one.version == 4 else self.v6)  # noqa: PLR2004 - the family

    def __bool__(self) -> bool:
        return bool(self.v4) or bool(self.v6)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CidrSet) and self.v4 == other.v4 and self.v6 == other.v6

    def __hash__(self) -> int:
        return hash((self.v4, self.v6))

    def __or__(self, other: CidrSet) -> CidrSet:
        return CidrSet(self.v4 | other.v4, self.v6 | other.v6)

    def __and__(self, other: CidrSet) -> CidrSet:
        return CidrSet(self.v4 & other.v4, self.v6 & other.v6)

    def __sub__(self, other: CidrSet) -> CidrSet:
        return CidrSet(self.v4 - other.v4, self.v6 - other.v6)

    def __invert__(self) -> CidrSet:
        return EVERY_ADDRESS - self

    def __le__(self, other: CidrSet) -> bool:
        return not self - other

    def cidrs(self) -> Iterator[Network]:
        """Yield the fewest blocks that are exactly this set, lowest first, IPv4 before IPv6."""
        for low, high in self.v4.intervals:
            yield from ipaddress.summarize_address_range(ipaddress.IPv4Address(low), ipaddress.IPv4Address(high))
        for low, high in self.v6.intervals:
            yield from ipaddress.summarize_address_range(ipaddress.IPv6Address(low), ipaddress.IPv6Address(high))

    def __str__(self) -> str:
        return ", ".join(str(c) for c in self.cidrs()) or "no address"

    def __repr__(self) -> str:
        return f"<CidrSet {self}>"


def _whole(network: Network) -> CidrSet:
    numbers = PortSet([(int(network.network_address), int(network.broadcast_address))])
    return CidrSet(v4=numbers) if isinstance(network, ipaddress.IPv4Network) else CidrSet(v6=numbers)


NO_ADDRESSES = CidrSet()
EVERY_ADDRESS = CidrSet(PortSet([(0, LAST[4])]), PortSet([(0, LAST[6])]))
