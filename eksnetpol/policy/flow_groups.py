"""Tallies of flows by who talks to whom: as many as there are parties that talk, and never more than a bound."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass, field

from eksnetpol.model.flows import Observed, Settled
from eksnetpol.policy.flow_places import ANYWHERE, Kind, Place
from eksnetpol.policy.flow_verdicts import Judgement, Verdict
from eksnetpol.policy.universe import Classes

Tally = list[int]
"""Bytes, the first and last second, and then how many flows there were, by how they were settled, requests before replies."""

SIZE, FIRST, LAST, _COUNTS = 0, 1, 2, 3
_NEVER = 1 << 62
_HOWS = tuple(Settled)

MOST = 100_000
"""Groups that are kept apart. Of what comes after that, ports are no longer told apart, and then addresses outside."""

_FEW = 5
"""Addresses outside that are named one by one; of more, the smallest block that holds all."""


@dataclass(slots=True)
class Addresses:
    """The addresses that one party of a group had: all of them while they are few, and the lowest and highest."""

    few: dict[str, None] = field(default_factory=dict)
    many: bool = False
    ends: dict[int, tuple[int, int]] = field(default_factory=dict)
    """The lowest and highest by family."""

    def add(self, address: str, number: int) -> None:
        """Add one, as text and as a number."""
        if not address or address in self.few:
            return
        version = 6 if ":" in address else 4
        low, high = self.ends.get(version, (number, number))
        self.ends[version] = (min(low, number), max(high, number))
        if len(self.few) < _FEW:
            self.few[address] = None
        else:
            self.many = True

    def blocks(self) -> tuple[str, ...]:
        """Return the addresses as blocks while they are few, else the smallest block of each family that holds all."""
        if not self.many:
            return tuple(f"{a}/{128 if ':' in a else 32}" for a in self.few)
        return tuple(_around(version, low, high) for version, (low, high) in sorted(self.ends.items()))


def _around(version: int, low: int, high: int) -> str:
    bits = 32 if version == 4 else 128  # noqa: PLR2004 - the family
    free = (low ^ high).bit_length()
    start = low >> free << free
    address = ipaddress.IPv4Address(start) if bits == 32 else ipaddress.IPv6Address(start)  # noqa: PLR2004 - as above
    return f"{address}/{bits - free}"


@dataclass(slots=True)
class Group:
    """Flows between the same parties, to the same port, with the same verdict. ``number`` 0: several ports, past the bound.

    ``asked`` is the Service that was asked for and its port, where the log tells.
    """

    source: Place
    destination: Place
    protocol: str
    number: int
    judgement: Judgement
    observed: Observed
    asked: tuple[Place, int] | None = None
    tally: Tally = field(default_factory=lambda: [0, _NEVER, 0, *([0] * (2 * len(_HOWS)))])
    sources: Classes = 0
    destinations: Classes = 0
    from_addresses: Addresses = field(default_factory=Addresses)
    to_addresses: Addresses = field(default_factory=Addresses)

    def slot(self, how: Settled, *, is_reply: bool) -> int:
        """Return the place in the tally where such a flow counts."""
        return _COUNTS + _HOWS.index(how) + (len(_HOWS) if is_reply else 0)

    @property
    def verdict(self) -> Verdict:
        """What policies say."""
        return self.judgement.verdict

    @property
    def flows(self) -> int:
        """How many flows or records there were, replies included."""
        return sum(self.tally[_COUNTS:])

    @property
    def replies(self) -> int:
        """How many of them were the way back."""
        return sum(self.tally[_COUNTS + len(_HOWS) :])

    @property
    def size(self) -> int:
        """Bytes, as far as the log tells."""
        return self.tally[SIZE]

    @property
    def first(self) -> int | None:
        """The first second, since 1970; None where the log has no times."""
        return None if self.tally[FIRST] in {_NEVER, 0} else self.tally[FIRST]

    @property
    def last(self) -> int | None:
        """The last second."""
        return self.tally[LAST] or None

    def settled(self) -> Iterator[tuple[Settled, int]]:
        """Yield how the server's side was settled, and for how many flows."""
        for at, how in enumerate(_HOWS, _COUNTS):
            count = self.tally[at] + self.tally[at + len(_HOWS)]
            if count:
                yield how, count

    def seen(self, source: Place, destination: Place) -> None:
        """Note who it was, of the two parties."""
        self.sources |= source.classes
        self.destinations |= destination.classes
        if source.kind in {Kind.OUTSIDE, Kind.NODE}:
            self.from_addresses.add(source.address, source.value)
        if destination.kind in {Kind.OUTSIDE, Kind.NODE}:
            self.to_addresses.add(destination.address, destination.value)


_SEVERAL = Place(Kind.GONE, "several", "several", ANYWHERE.party)
_NOT_ASKED = Judgement(Verdict.UNKNOWN, reason="no pod is at either end")


class Groups:
    """All groups, by what makes them one. ``unasked`` are flows between others than pods; ``bounded`` says what was given up."""

    def __init__(self, most: int = MOST) -> None:
        self._found: dict[tuple[object, ...], Group] = {}
        self._most = most
        self.unasked: dict[Observed, Group] = {}
        self.bounded: dict[str, None] = {}

    def of(
        self,
        source: Place,
        destination: Place,
        protocol: str,
        number: int,
        judgement: Judgement | None,
        observed: Observed,
        asked: tuple[Place, int] | None = None,
    ) -> Group:
        """Return the group of such flows."""
        if judgement is None:
            known = self.unasked.get(observed)
            if known is None:
                known = self.unasked[observed] = Group(source, destination, protocol, number, _NOT_ASKED, observed)
            return known
        verdict = (judgement.verdict, judgement.denied_at, judgement.reason)
        via = (asked[0].title, asked[1]) if asked else None
        key: tuple[object, ...] = (source.title, destination.title, protocol, number, *verdict, observed, via)
        group = self._found.get(key)
        if group is None and len(self._found) >= self._most:
            self.bounded[f"more than {self._most:,} groups: ports are put together from there on"] = None
            number, via, asked = 0, None, None
            key = (source.title, destination.title, protocol, 0, *verdict, observed, None)
            group = self._found.get(key)
        if group is None and len(self._found) >= 2 * self._most:
            self.bounded[f"more than {2 * self._most:,} groups: parties are put together from there on"] = None
            source, destination = _SEVERAL, _SEVERAL
            key = (source.title, destination.title, protocol, 0, *verdict, observed, None)
            group = self._found.get(key)
        if group is None:
            group = self._found[key] = Group(source, destination, protocol, number, judgement, observed, asked)
        group.seen(source, destination)
        return group

    def __iter__(self) -> Iterator[Group]:
        return iter(self._found.values())

    def __len__(self) -> int:
        return len(self._found)
