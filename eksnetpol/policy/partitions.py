"""Partitions of classes by what they have: split, combined, and added up, a whole set at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from eksnetpol.policy.addresses import Network
from eksnetpol.policy.answers import Partition
from eksnetpol.policy.connections import EVERYTHING, NOTHING, Connections
from eksnetpol.policy.spots import Block, Spot
from eksnetpol.policy.tiers import States
from eksnetpol.policy.universe import Classes

Judge = Callable[[Sequence[Block], int, int], Spot]
"""What blocks let through at an address of a family (4 or 6); the address is `atlas.UNKNOWN` where it is not known."""


def everybody(everything: Classes) -> Partition:
    """Return the partition in which all have all."""
    return ((EVERYTHING, everything),) if everything else ()


def disjoint(grants: Mapping[Connections, Classes]) -> dict[Connections, Classes]:
    """Return *grants* with each class under the union of all it was granted."""
    if len(grants) == 1:
        return dict(grants)
    parts: dict[Connections, Classes] = {}
    for granted, classes in grants.items():
        rest = classes
        after: dict[Connections, Classes] = {}
        for own, members in parts.items():
            both = members & rest
            if both:
                _add(after, own | granted, both)
                _add(after, own, members ^ both)
                rest ^= both
            else:
                _add(after, own, members)
        _add(after, granted, rest)
        parts = after
    return parts


def _add(parts: dict[Connections, Classes], key: Connections, classes: Classes) -> None:
    if classes:
        parts[key] = parts.get(key, 0) | classes


def beside_blocks(hosts: Mapping[Connections, Classes], spots: Iterable[tuple[Spot, Classes]]) -> dict[Connections, Classes]:
    """Return what classes have by rules for pods (*hosts*, disjoint) and by blocks (*spots*, disjoint) together."""
    named = 0
    for classes in hosts.values():
        named |= classes
    found: dict[Connections, Classes] = {}
    left = named
    for (bare, beside, _), classes in spots:
        if bare:
            _add(found, bare, classes & ~named)
        if classes & named:
            for own, members in hosts.items():
                _add(found, own | beside, members & classes)
            left &= ~classes
    if left:
        for own, members in hosts.items():
            _add(found, own, members & left)
    return found


def by_spot(
    blocks: Sequence[Block],
    everything: Classes,
    within: Callable[[Network], Classes],
    at: Callable[[Sequence[Block], Classes], Spot],
) -> Iterator[tuple[Spot, Classes]]:
    """Yield what *blocks* let through for classes that none of them tells apart; *at* says it of such classes."""
    parts = [everything]
    for network in {n for block in blocks for n in (block.network, *block.excepts)}:
        held = within(network)
        if held and held != everything:
            parts = [p for part in parts for p in (part & held, part & ~held) if p]
    for part in parts:
        yield at(blocks, part), part


def met(left: Partition, right: Partition) -> Partition:
    """Return what both sides let through."""
    found: dict[Connections, Classes] = {}
    for one, classes in left:
        for other, members in right:
            both = classes & members
            if both:
                common = one & other
                if common:
                    found[common] = found.get(common, 0) | both
    return tuple(found.items())


def after_tier(states: States, then: Partition) -> Partition:
    """Return what a tier allows, and of what it leaves undecided what *then* allows."""
    found: dict[Connections, Classes] = {}
    for (allowed, undecided), classes in states:
        rest = classes
        for connections, members in then:
            both = classes & members
            if both:
                _keep(found, allowed | (undecided & connections), both)
                rest &= ~both
        _keep(found, allowed, rest)
    return tuple(found.items())


def settled(states: States, default: Connections) -> Partition:
    """Return what a tier allows, where *default* is what happens to the undecided."""
    found: dict[Connections, Classes] = {}
    for (allowed, undecided), classes in states:
        _keep(found, allowed | (undecided & default), classes)
    return tuple(found.items())


def _keep(found: dict[Connections, Classes], connections: Connections, classes: Classes) -> None:
    if classes and connections is not NOTHING and connections:
        found[connections] = found.get(connections, 0) | classes


def only(partition: Partition, classes: Classes) -> Partition:
    """Return *partition* for these classes alone."""
    return tuple((c, members & classes) for c, members in partition if members & classes)


def merged(pairs: Partition) -> Partition:
    """Return disjoint *pairs* with those of the same connections together."""
    found: dict[Connections, Classes] = {}
    for connections, classes in pairs:
        _keep(found, connections, classes)
    return tuple(found.items())


def of_class(partition: Partition, index: int) -> Connections:
    """Return what one class has."""
    return next((connections for connections, classes in partition if classes >> index & 1), NOTHING)


def having(partition: Partition, connections: Connections) -> Classes:
    """Return the classes that have exactly *connections*."""
    return next((classes for own, classes in partition if own == connections), 0)
