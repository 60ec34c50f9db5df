"""What a set of blocks lets through at one address: as the specification adds them up, and as the agent's maps decide.

In the agent's map the longest prefix alone speaks. A block takes over what wider ones let through, unless their own ``except``
holds its first address; an ``except`` is a deny for its own prefix, unless some rule names exactly that block; the address of a
pod that a rule selects is a block of its own (aws/aws-network-policy-agent, pkg/fwruleprocessor). So the answer at an address
depends on whether some rule selects the pod there: a `Spot` holds both answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from eksnetpol.policy.addresses import Network, holds
from eksnetpol.policy.connections import NOTHING, Connections

_TAKEN_FOR_HOST = 32
"""The agent takes a prefix of this length for a host's in IPv6 too, and hands nothing on from it."""


class Block(NamedTuple):
    """A block of a rule, with its exceptions and what it lets through."""

    network: Network
    excepts: tuple[Network, ...]
    connections: Connections


class Spot(NamedTuple):
    """What blocks let through at an address: ``bare`` where they alone speak, ``beside`` what they add to rules for a pod there.

    ``found`` is False where no block and no exception holds the address.
    """

    bare: Connections
    beside: Connections
    found: bool


NOWHERE = Spot(NOTHING, NOTHING, found=False)


def specified(blocks: Iterable[Block], address: int, version: int) -> Spot:
    """Return what *blocks* let through at *address* as the API specifies it: each block alone, without its exceptions."""
    answer, found = NOTHING, False
    for network, excepts, connections in blocks:
        if network.version == version and holds(network, address):
            if any(e.version == version and holds(e, address) for e in excepts):
                continue
            answer, found = answer | connections, True
    return Spot(answer, answer, found)


def compiled(blocks: Iterable[Block], address: int, version: int) -> Spot:
    """Return what the agent lets through at *address*, where *blocks* are all that its map is made of but single pods.

    Only blocks that hold the address matter: blocks are nested or apart, so what a narrower one takes over comes from those that
    hold it, and they hold the address too.
    """
    own: dict[Network, Connections] = {}
    excepts: dict[Network, set[Network]] = {}
    denied: set[Network] = set()
    for network, holes, connections in blocks:
        # An exception is remembered before its rule is looked at, so it need not lie inside its own block.
        denied.update(h for h in holes if h.version == version and holds(h, address))
        if network.version == version and holds(network, address):
            own[network] = own.get(network, NOTHING) | connections
            excepts.setdefault(network, set()).update(holes)
    host = 32 if version == 4 else 128  # noqa: PLR2004 - the family
    whole: dict[Network, Connections] = {}
    for network in sorted(own, key=_length):
        whole[network] = own[network] | _handed_on(whole, excepts, int(network.network_address), version)
    beside = _handed_on(whole, excepts, address, version)
    longest = max(whole, key=_length, default=None)
    hole = max(denied - own.keys(), key=_length, default=None)
    if longest is not None and longest.prefixlen == host:
        beside = beside | whole[longest]
    if longest is None or (hole is not None and hole.prefixlen > longest.prefixlen):
        return Spot(NOTHING, beside, found=bool(own or denied))
    return Spot(whole[longest], beside, found=True)


def _handed_on(
    wider: Mapping[Network, Connections], excepts: Mapping[Network, set[Network]], first: int, version: int
) -> Connections:
    """Return what a block that begins at *first* takes over from the *wider* ones around it."""
    answer = NOTHING
    for network, passed in wider.items():
        if network.prefixlen != _TAKEN_FOR_HOST and not any(h.version == version and holds(h, first) for h in excepts[network]):
            answer = answer | passed
    return answer


def _length(network: Network) -> int:
    return network.prefixlen
