"""Who may talk to one address, as the agent decides: the longest prefix alone speaks.

An ``except`` is kept as a deny for its own prefix, whichever policy it stands in, unless some rule names exactly that block; so
one policy's ``except`` closes what another one opens with a wider block. A block takes over what wider ones let through, unless
their own ``except`` holds its first address (aws/aws-network-policy-agent, pkg/fwruleprocessor; threads #92, #120, #481 there).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import chain
from typing import NamedTuple

from eksnetpol.model.policies import PolicyPort
from eksnetpol.policy.addresses import Network, holds, parse_cidr
from eksnetpol.policy.declared import DeclaredPorts
from eksnetpol.policy.isolation import Isolation
from eksnetpol.policy.rules import Direction, Rule, Rules, admits, entries_of, numbered
from eksnetpol.policy.universe import Classes

_ALL = ("0.0.0.0/0", "::/0")
_TAKEN_FOR_HOST = 32


@dataclass(frozen=True, slots=True)
class Reach:
    """For one address and port: isolated classes that may, that may not, and those of the latter that an ``except`` stops.

    ``exceptions`` are the rules with such an ``except`` and the classes their policies select.
    """

    allowed: Classes
    refused: Classes
    excepted: Classes
    exceptions: tuple[tuple[Rule, Classes], ...]


@dataclass(slots=True)
class _Level:
    """What is known of the one block of a certain prefix length that holds the address."""

    network: Network
    ruled: Classes = 0
    matched: Classes = 0
    denied: Classes = 0
    holes: dict[Network, Classes] = field(default_factory=dict)


class Block(NamedTuple):
    """A block of rules with its exceptions, and what they let through there."""

    cidr: str
    excepts: tuple[str, ...]
    ports: tuple[PolicyPort, ...]


@dataclass(frozen=True)
class Blocks:
    """All blocks of the rules of one direction: for each the pods that policies with it select, and the rules where it has
    exceptions.
    """

    selected: Mapping[Block, Classes]
    exceptions: Mapping[Block, tuple[tuple[Rule, Classes], ...]]
    direction: Direction = Direction.EGRESS

    def holding(self, host: Network) -> Iterator[tuple[Network, Block, Classes]]:
        """Yield those that hold the first address of *host*."""
        first = int(host.network_address)
        for low, high, network, block, classes in self._table[host.version]:
            if low <= first <= high:
                yield network, block, classes

    @cached_property
    def _table(self) -> Mapping[int, list[tuple[int, int, Network, Block, Classes]]]:
        found: dict[int, list[tuple[int, int, Network, Block, Classes]]] = {4: [], 6: []}
        for block, classes in self.selected.items():
            network = parse_cidr(block.cidr)
            if network is not None:
                ends = int(network.network_address), int(network.broadcast_address)
                found[network.version].append((*ends, network, block, classes))
        return found


def gather(
    rules: Rules, isolation: Isolation, direction: Direction = Direction.EGRESS, ports: DeclaredPorts | None = None
) -> Blocks:
    """Put equal blocks of all rules of a direction together: a cluster has few different ones.

    Names of ports in ingress are turned into the numbers that selected pods give them, where *ports* tells these.
    """
    selected: dict[Block, Classes] = {}
    exceptions: dict[Block, list[tuple[Rule, Classes]]] = {}
    by_name = {id(rule) for rule in rules.with_names} if ports is not None and direction is Direction.INGRESS else set()
    everywhere = ((rule, cidr, ()) for rule in rules.without_peers for cidr in _ALL)
    named = ((rule, block.cidr, block.except_) for rule, block in rules.blocks())
    for rule, cidr, excepts in chain(everywhere, named):
        if rule.direction is direction:
            classes = isolation.subjects[rule.at].selected
            meant = rule.ports
            if ports is not None and id(rule) in by_name:
                meant = numbered(rule.ports, partial(_meanings, ports, classes))
                if not meant:
                    continue
            block = Block(cidr, excepts, meant)
            selected[block] = selected.get(block, 0) | classes
            if excepts:
                exceptions.setdefault(block, []).append((rule, classes))
    return Blocks(selected, {block: tuple(found) for block, found in exceptions.items()}, direction)


def _meanings(ports: DeclaredPorts, within: Classes, protocol: str, name: str) -> Iterable[int]:
    return ports.meanings(protocol, name, within)


def reach(blocks: Blocks, isolation: Isolation, address: str, protocol: str, port: int) -> Reach:
    """Work out who may send *protocol* to *port* of *address*, which is no pod's; for all classes at once.

    With blocks of ingress rules: who may get it from there, on their own *port*.
    """
    host = parse_cidr(address)
    if host is None:
        message = f"{address!r} is no address"
        raise ValueError(message)
    levels, exceptions = _levels(blocks, host, protocol, port)
    through: list[tuple[_Level, Classes]] = []
    decided = allowed = excepted = 0
    ordered = sorted(levels.values(), key=lambda level: level.network.prefixlen)
    for level in ordered:
        taken = 0
        for wider, passed in through:
            if wider.network.prefixlen != _TAKEN_FOR_HOST:
                taken |= passed & ~_holed(wider, level.network)
        through.append((level, level.ruled & (level.matched | taken)))
    for level, passed in reversed(through):
        here = (level.ruled | level.denied) & ~decided
        allowed |= here & passed
        excepted |= here & level.denied & ~level.ruled
        decided |= here
    isolated = isolation.egress if blocks.direction is Direction.EGRESS else isolation.ingress
    return Reach(allowed & isolated, isolated & ~allowed, excepted & isolated, exceptions)


def _levels(
    blocks: Blocks, host: Network, protocol: str, port: int
) -> tuple[dict[int, _Level], tuple[tuple[Rule, Classes], ...]]:
    levels: dict[int, _Level] = {}
    exceptions: list[tuple[Rule, Classes]] = []
    first = int(host.network_address)
    for network, block, selected in blocks.holding(host):
        entries = entries_of(block.ports)
        if not entries:
            continue
        level = levels.setdefault(network.prefixlen, _Level(network))
        level.ruled |= selected
        if admits(entries, protocol, port):
            level.matched |= selected
        for text in block.excepts:
            hole = parse_cidr(text)
            if hole is None or hole.version != host.version:
                continue
            level.holes[hole] = level.holes.get(hole, 0) | selected
            if holds(hole, first):
                levels.setdefault(hole.prefixlen, _Level(hole)).denied |= selected
                exceptions.extend(blocks.exceptions[block])
    return levels, tuple(exceptions)


def _holed(level: _Level, narrower: Network) -> Classes:
    first = int(narrower.network_address)
    answer = 0
    for hole, classes in level.holes.items():
        if holds(hole, first):
            answer |= classes
    return answer
