"""Ports that connections come from, as far as rules tell them apart.

A connection comes from one port, and nobody can know beforehand from which. So what surely may is what may from every port, and
what perhaps may is what may from some: rules are asked for one port of each kind, at both ends of the connection the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from eksnetpol.policy import partitions as parts
from eksnetpol.policy.answers import Partition
from eksnetpol.policy.connections import Connections
from eksnetpol.policy.ports import EVERY_PORT, PortSet
from eksnetpol.policy.universe import Classes

ANY = 0
"""Stands for a port of which nothing is known: what asks for some ports alone perhaps matches it."""

_MOST = 64
"""Where rules tell more kinds of ports apart than so many, they are not looked at one by one: the answer is less sure then."""


def kinds(asked: Collection[PortSet]) -> tuple[int, ...]:
    """Return one port of each kind that sets of ports tell apart; `ANY` alone where nothing is asked, or there are too many."""
    if not asked:
        return (ANY,)
    first = EVERY_PORT.intervals[0][0]
    cuts = {first, *(cut for ports in asked for low, high in ports.intervals for cut in (low, high + 1))}
    found: dict[tuple[bool, ...], int] = {}
    for cut in sorted(cut for cut in cuts if cut in EVERY_PORT):
        found.setdefault(tuple(cut in ports for ports in asked), cut)
        if len(found) > _MOST:
            return (ANY,)
    return tuple(found.values())


def together(answers: Iterable[Partition], *, sure: bool) -> Partition:
    """Return what partitions have in common, or else what any of them has."""
    first, *rest = answers
    if sure:
        for one in rest:
            first = parts.met(first, one)
        return first
    if not rest:
        return first
    found: dict[Connections, Classes] = {}
    for connections, classes in (pair for one in (first, *rest) for pair in one):
        found[connections] = found.get(connections, 0) | classes
    return tuple(parts.disjoint(found).items())


def asked_of(ports: Iterable[PortSet]) -> frozenset[PortSet]:
    """Return the sets that leave any port out."""
    return frozenset(own for own in ports if own != EVERY_PORT)
