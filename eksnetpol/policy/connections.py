"""What may flow between two: a set of numbers for each protocol, immutable, with the operators of sets.

TCP, UDP and SCTP have ports. ICMP and ICMPv6 have type times 256 plus code in their place, and `OTHER` stands for all remaining
protocols, by their IP protocol number: so every question about a packet is one about a protocol and a number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

from eksnetpol.policy.ports import EVERY_ICMP, EVERY_NUMBER, EVERY_PORT, NO_PORTS, PortSet

TCP, UDP, SCTP, ICMP, ICMPV6, OTHER = "TCP", "UDP", "SCTP", "ICMP", "ICMPv6", "OTHER"

WITH_PORTS = (TCP, UDP, SCTP)
"""Protocols that a NetworkPolicy can name."""

UNIVERSE: Mapping[str, PortSet] = {
    TCP: EVERY_PORT,
    UDP: EVERY_PORT,
    SCTP: EVERY_PORT,
    ICMP: EVERY_ICMP,
    ICMPV6: EVERY_ICMP,
    OTHER: EVERY_NUMBER,
}
"""All numbers of each protocol."""

PROTOCOLS = tuple(UNIVERSE)
_CACHED = 1 << 15
_PLACE = {protocol: at for at, protocol in enumerate(PROTOCOLS)}


class Connections:
    """A set of (protocol, number). Equal sets are equal values, and hash alike."""

    __slots__ = ("_hash", "_sets")

    def __init__(self, sets: Mapping[str, PortSet] | tuple[PortSet, ...] = ()) -> None:
        """Take a set for each protocol; those that are not there are empty, and numbers that a protocol has not are left out."""
        if not isinstance(sets, tuple):
            sets = tuple(sets.get(p, NO_PORTS) & every for p, every in UNIVERSE.items())
        self._sets = sets or (NO_PORTS,) * len(PROTOCOLS)
        self._hash = hash(self._sets)

    @classmethod
    def only(cls, protocol: str, ports: PortSet | None = None) -> Connections:
        """Return *ports* of one protocol, all of them where none are given."""
        return cls({protocol: UNIVERSE[protocol] if ports is None else ports})

    def __getitem__(self, protocol: str) -> PortSet:
        return self._sets[_PLACE[protocol]]

    def items(self) -> Iterator[tuple[str, PortSet]]:
        """Yield each protocol that has any number, with its numbers."""
        return ((p, s) for p, s in zip(PROTOCOLS, self._sets, strict=True) if s)

    def allows(self, protocol: str, number: int) -> bool:
        """Say whether *number* of *protocol* is in the set."""
        return number in self._sets[_PLACE[protocol]]

    @property
    def is_everything(self) -> bool:
        """True when nothing is missing."""
        return self == EVERYTHING

    def __bool__(self) -> bool:
        return any(self._sets)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Connections) and (self is other or self._sets == other._sets)

    def __hash__(self) -> int:
        return self._hash

    def __or__(self, other: Connections) -> Connections:
        return self if other is self else _union(self, other)

    def __and__(self, other: Connections) -> Connections:
        return self if other is self else _intersection(self, other)

    def __sub__(self, other: Connections) -> Connections:
        return _difference(self, other)

    def __invert__(self) -> Connections:
        return EVERYTHING - self

    def __le__(self, other: Connections) -> bool:
        return not self - other

    def __repr__(self) -> str:
        return f"<Connections {self}>"

    def __str__(self) -> str:
        """``all``, ``none``, or ``TCP 80,443; UDP 53; ICMP type 8``."""
        if self.is_everything:
            return "all"
        words = [p if s == UNIVERSE[p] else f"{p} {_told(p, s)}" for p, s in self.items()]
        return "; ".join(words) if words else "none"


def _told(protocol: str, numbers: PortSet) -> str:
    """Return ports as numbers, and of ICMP what they stand for."""
    if protocol not in {ICMP, ICMPV6}:
        return str(numbers)
    return ",".join(words for low, high in numbers.intervals for words in _icmp(low, high))


def _icmp(low: int, high: int) -> Iterator[str]:
    """Yield types with their codes, whole types together, for numbers in between two, both included."""
    while low <= high:
        kind, code = divmod(low, 256)
        last = min(high, kind * 256 + 255)
        if code == 0 and last == kind * 256 + 255:
            whole = (high + 1) // 256 - 1
            yield f"type {kind}" if whole == kind else f"types {kind}-{whole}"
            low = (whole + 1) * 256
            continue
        until = last % 256
        yield f"type {kind} code {code}" if until == code else f"type {kind} codes {code}-{until}"
        low = last + 1


def _pairs(left: Connections, right: Connections) -> Iterator[tuple[PortSet, PortSet]]:
    return ((left[p], right[p]) for p in PROTOCOLS)


@lru_cache(maxsize=_CACHED)
def _union(left: Connections, right: Connections) -> Connections:
    return Connections(tuple(a | b for a, b in _pairs(left, right)))


@lru_cache(maxsize=_CACHED)
def _intersection(left: Connections, right: Connections) -> Connections:
    return Connections(tuple(a & b for a, b in _pairs(left, right)))


@lru_cache(maxsize=_CACHED)
def _difference(left: Connections, right: Connections) -> Connections:
    return Connections(tuple(a - b for a, b in _pairs(left, right)))


NOTHING = Connections()
EVERYTHING = Connections(dict(UNIVERSE))


def in_words(protocol: str, number: int) -> str:
    """Return one connection as people say it: ``TCP 8080``, ``ICMP type 8``."""
    if protocol in {ICMP, ICMPV6}:
        kind, code = divmod(number, 256)
        return f"{protocol} type {kind}" + (f" code {code}" if code else "")
    return f"IP protocol {number}" if protocol == OTHER else f"{protocol} {number}"
