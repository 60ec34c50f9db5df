"""What the node agent makes of resolved rules, and what its eBPF programs then decide about a packet.

The agent turns the entries of all PolicyEndpoints of a pod into one map per direction, from address prefixes to ports, and its
programs look up the longest prefix that holds the peer's address. That prefix alone speaks: a prefix takes over what wider ones
let through, and an ``except`` becomes a prefix that denies, unless some entry names exactly that block. How the agent compiles
has changed twice, and `compile_direction` follows the release it is given:

* before v1.0.4 an ``except`` counts for nothing, and an entry for the node's own address replaces the one that opens it;
* before v1.2.4 an ``except`` denies its block, but a prefix inside it takes over what the excepted rule lets through;
* from v1.2.4 a prefix takes nothing from a wider one whose ``except`` holds its first address;
* before v1.4.2 (unreleased when this was written) one block written in two ways has two entries, of which either ends up in the
  map, at random.

Sources: aws/aws-network-policy-agent, pkg/fwruleprocessor, pkg/utils and pkg/ebpf/c; confirmed packet by packet on a real kernel
with the agent's source of August 2026. Two things are left out: the programs' free slots match IP protocol 0 (IPv6 packets with
a hop-by-hop header), and packets whose ports they misread (IPv4 options, other IPv6 extension headers, fragments).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple

from eksnetpol.model.policies import EndpointInfo
from eksnetpol.model.versions import Release
from eksnetpol.policy.addresses import Network, parse_cidr
from eksnetpol.policy.agent_map import AgentMap, Cell, Entry, Reading, address_of
from eksnetpol.policy.connections import Connections
from eksnetpol.policy.slots import EVERY_SLOT, Slot

__all__ = [
    "AgentMap",
    "Cell",
    "Entry",
    "Reading",
    "Slot",
    "bounds_at",
    "compile_direction",
    "concerns",
    "connections_at",
    "entries_of",
]

HONOURS_EXCEPTS = Release(1, 0, 4)
"""From here on an ``except`` counts, and entries for the node's own address are left out."""

MORE_SLOTS = Release(1, 0, 5)
"""From here on a prefix has `SLOTS` slots, before that 8 (IPv4) or 4 (IPv6)."""

EXCEPTS_LAST = Release(1, 2, 4)
"""From here on an ``except`` also keeps the prefixes inside it from taking over."""

CANONICAL = Release(1, 4, 2)
"""From here on blocks are compared as blocks, before that as they are written."""

SLOTS = 24
"""How many different ports and ranges one prefix can have; which ones survive where there are more is random."""

_FEW_SLOTS = {4: 8, 6: 4}
_BITS = {4: 32, 6: 128}
_VERSION = {"ipv4": 4, "ipv6": 6}
_TAKEN_FOR_HOST = frozenset({32, 128})
"""Prefix lengths from which nothing is taken over. 32 is one of them in IPv6 too: the agent takes every /32 for a host."""


def entries_of(infos: Iterable[EndpointInfo], origin: object = None) -> Iterator[Entry]:
    """Yield the entries of one direction of a PolicyEndpoint. Domain names are left out, as the agent does."""
    for info in infos:
        if info.cidr:
            ports = tuple(Slot(p.protocol, p.port if isinstance(p.port, int) else None, p.end_port) for p in info.ports)
            yield Entry(info.cidr, info.except_, ports, origin)


def compile_direction(
    entries: Iterable[Entry], *, node_ip: str | None, family: str, agent: Release, isolated: bool
) -> AgentMap:
    """Compile the *entries* of all PolicyEndpoints of a pod in one direction.

    *node_ip* is the address of the pod's node, as ``hostIP`` says it (None: left out, as if the pod had none); *family* is
    ``ipv4`` or ``ipv6``. *isolated* (``podIsolation`` names the direction) counts only where there are no entries at all: then
    nothing passes but the node; without it, everything passes.
    """
    version = _VERSION[family]
    compiler = _Compiler(version, agent.base, node_ip)
    listed = list(entries)
    if not listed and not isolated:
        listed = [Entry("0.0.0.0/0" if version == _VERSION["ipv4"] else "::/0")]
    compiler.add(listed)
    return AgentMap(version, compiler.finish(), tuple(compiler.doubts))


def concerns(entry: Entry, ip: str, version: int) -> bool:
    """Say whether *entry* can have a part in the verdict about *ip*: its block holds it, or the key of one of its exceptions."""
    host = address_of(ip)
    keys = chain((parse_cidr(entry.cidr),), (_key(parse_cidr(text), version) for text in entry.excepts))
    return any(key is not None and key.version == host.version and _holds(key, host) for key in keys)


def bounds_at(
    entries: Iterable[Entry], ip: str, *, node_ip: str | None, family: str, agent: Release
) -> tuple[Connections, Connections]:
    """Return what surely passes and what may pass between *ip* and a pod that is isolated or has entries.

    Only those *entries* matter that `concerns` says yes to, so a caller who has many may leave out all others: blocks are nested
    or apart, and a prefix takes over only from blocks that hold it.
    """
    compiled = compile_direction(entries, node_ip=node_ip, family=family, agent=agent, isolated=True)
    return compiled.bounds(ip)


def connections_at(
    entries: Iterable[Entry], ip: str, *, node_ip: str | None, family: str, agent: Release
) -> Connections:
    """Return what surely passes between *ip* and a pod, as `bounds_at`."""
    return bounds_at(entries, ip, node_ip=node_ip, family=family, agent=agent)[0]


# --- compiling --------------------------------------------------------------------------------------------------------


class _Written(NamedTuple):
    """A block as the agent keys it while it compiles."""

    text: str
    network: Network


@dataclass(slots=True)
class _Block:
    """What is known of one such key."""

    slots: dict[Slot, list[Entry]] = field(default_factory=dict)
    excepts: list[Network] = field(default_factory=list)
    firsts: list[Slot] = field(default_factory=list)


class _Compiler:
    """The compilation of one direction, step by step as the agent takes them."""

    def __init__(self, version: int, agent: Release, node_ip: str | None) -> None:
        self.doubts: list[str] = []
        self._version = version
        self._is_canonical = agent >= CANONICAL
        self._honours_excepts = agent >= HONOURS_EXCEPTS
        self._excepts_last = agent >= EXCEPTS_LAST
        self._capacity = SLOTS if agent >= MORE_SLOTS else _FEW_SLOTS[version]
        node = parse_cidr(node_ip) if node_ip else None
        self._node = node if node is not None and node.version == version else None
        self._blocks: dict[_Written, _Block] = {}
        self._passing: list[_Written] = []
        self._excepts: dict[_Written, list[Entry]] = {}

    def add(self, entries: Sequence[Entry]) -> None:
        """Take all *entries*, widest first."""
        blocks = [(self._written(entry.cidr), entry) for entry in entries]
        known = [(block, entry) for block, entry in blocks if block is not None]
        for block, entry in sorted(known, key=lambda pair: pair[0].network.prefixlen):
            skipped = block.network.version != self._version or self._is_node(entry.cidr, block)
            if self._honours_excepts and (self._excepts_last or not skipped):
                self._remember(entry)
            if not skipped:
                self._merge(block, entry)

    def _written(self, text: str) -> _Written | None:
        network = parse_cidr(text)
        if network is None:
            return None
        if self._is_canonical or "/" not in text:
            return _Written(str(network), network)
        return _Written(text.strip(), network)

    def _is_node(self, cidr: str, block: _Written) -> bool:
        if self._node is None or not self._honours_excepts:
            return False
        # Without canonical form it is the address as written that is compared, host bits and all.
        first = str(block.network.network_address) if self._is_canonical else cidr.partition("/")[0]
        return parse_cidr(first) == self._node

    def _remember(self, entry: Entry) -> None:
        for text in entry.excepts:
            network = parse_cidr(text)
            key = _key(network, self._version)
            if network is None or key is None:
                self.doubts.append(f"the agent cannot write a key for except {text}")
                continue
            written = text.strip() if not self._is_canonical else str(network)
            self._excepts.setdefault(_Written(written, key), []).append(entry)

    def _merge(self, at: _Written, entry: Entry) -> None:
        block = self._blocks.get(at)
        if block is None:
            block = _Block()
            for wider in self._passing:
                if self._passes_on(wider, at.network):
                    for slot, givers in self._blocks[wider].slots.items():
                        block.slots.setdefault(slot, []).extend(givers)
            self._blocks[at] = block
            if at.network.prefixlen not in _TAKEN_FOR_HOST:
                self._passing.append(at)
        for port in entry.ports or (EVERY_SLOT,):
            slot = port.compiled
            block.slots.setdefault(slot, []).append(entry)
            block.firsts.append(slot)
        block.excepts.extend(n for n in map(parse_cidr, entry.excepts) if n is not None)

    def _passes_on(self, wider: _Written, to: Network) -> bool:
        if not _holds(wider.network, to):
            return False
        if not self._excepts_last:
            return True
        return not any(hole.version == to.version and _covers(hole, to) for hole in self._blocks[wider].excepts)

    def finish(self) -> dict[Network, Cell]:
        """Return the map, node and exceptions included."""
        spellings: dict[Network, list[_Written]] = {}
        for written in self._blocks:
            spellings.setdefault(written.network, []).append(written)
        cells: dict[Network, Cell] = {}
        if self._node is not None:
            cells[self._node] = Cell(self._node, ({EVERY_SLOT: ()},), self._capacity, is_node=True)
        for network, known in spellings.items():
            cells[network] = Cell(network, tuple(self._variants(known)), self._capacity)
        for written, entries in self._excepts.items():
            if written in self._blocks:
                continue
            cells[written.network] = self._with_hole(cells.get(written.network), written.network, tuple(entries))
        return cells

    def _variants(self, spellings: list[_Written]) -> Iterator[Mapping[Slot, tuple[Entry, ...]]]:
        everything: dict[Slot, tuple[Entry, ...]] = {}
        for written in spellings:
            for slot, givers in self._blocks[written].slots.items():
                everything[slot] = (*everything.get(slot, ()), *givers)
        yield everything
        # Each was written over the ones before it, in an order nobody knows; before v1.2.4 the last had taken over the others.
        if len(spellings) > 1 and self._excepts_last:
            for written in spellings:
                block = self._blocks[written]
                yield {slot: tuple(block.slots[slot]) for slot in block.slots if slot in self._alone(written)}

    def _alone(self, at: _Written) -> set[Slot]:
        """Return the slots of one spelling as if it were the first of its block."""
        found = set(self._blocks[at].firsts)
        for wider in self._passing:
            if wider.network != at.network and self._passes_on(wider, at.network):
                found.update(self._blocks[wider].slots)
        return found

    def _with_hole(self, cell: Cell | None, network: Network, entries: tuple[Entry, ...]) -> Cell:
        ruled = cell is not None and not cell.is_node
        if cell is not None and ruled and self._excepts_last:
            # The same block in another spelling, which the agent takes for another: either is written last.
            return Cell(network, (*cell.variants, None), self._capacity, (*cell.excepting, *entries))
        if cell is not None and ruled:
            return cell
        return Cell(network, (None,), self._capacity, entries)


def _key(network: Network | None, version: int) -> Network | None:
    """Return the prefix that an exception becomes in a map of *version*; None where it becomes none.

    The key is made of the first bytes of the address and the prefix length, whatever the family: an IPv6 exception in an IPv4
    cluster denies some IPv4 block that has nothing to do with it.
    """
    if network is None or network.version == version:
        return network
    width = _BITS[version] // 8
    packed = network.network_address.packed[:width].ljust(width, b"\0")
    if network.prefixlen > _BITS[version]:
        return None
    return ipaddress.ip_network((packed, network.prefixlen), strict=False)


def _holds(outer: Network, inner: Network) -> bool:
    """Say whether *outer* is as wide as *inner* or wider, and holds its first address."""
    return outer.prefixlen <= inner.prefixlen and _covers(outer, inner)


def _covers(outer: Network, inner: Network) -> bool:
    """Say whether *outer* holds the first address of *inner*, of the same family."""
    first = int(inner.network_address)
    return int(outer.network_address) <= first <= int(outer.broadcast_address)
