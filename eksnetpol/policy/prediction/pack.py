"""Entries told apart, counted, merged and cut into objects as the controller does (pkg/policyendpoints/manager.go).

Entries that the controller takes for the same are one: their key is all they say in one text, without anything between, so that
``TCP 80-81`` and ``TCP 8081`` for one address are the same, and the last of them is kept. What is left fills objects, a chunk of
each list to an object, and entries for one block within one object become one. In which object an entry comes to lie is chance
there; here entries that belong together lie together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

import msgspec

from eksnetpol.policy.prediction.addresses import AddressBook
from eksnetpol.policy.prediction.ports import Port, PortList, text_of
from eksnetpol.policy.prediction.resolve import BlockPart, Part, PodsPart, Resolver, ServicesPart
from eksnetpol.policy.universe import Classes, indexes_of

_ENCODE = msgspec.json.encode
_SURROGATES = range(0xD800, 0xE000)
_NO_CHARACTER = "\ufffd"


class Entry(NamedTuple):
    """An entry of ``ingress`` or ``egress``: a block, an address or a domain, and its ports; none are all."""

    cidr: str
    excepts: tuple[str, ...] = ()
    ports: PortList = ()
    domain: str = ""
    action: str = ""


class Merging(Enum):
    """Which entries of one object become one, and what of."""

    NEVER = "never"
    BY_CIDR = "by CIDR: ports and exceptions one after the other, so that all ports are lost beside some"
    BY_BLOCK = "by CIDR and exceptions: all ports stay all ports"
    BY_ACTION = "by CIDR or domain, and action: all ports are lost beside some"


Groups = dict[tuple[str, PortList], "Group"]


@dataclass(slots=True)
class Group:
    """What has the same ports and action."""

    pods: Classes = 0
    services: Classes = 0
    blocks: dict[str, Entry] = field(default_factory=dict)


def gather(parts: Iterable[Part]) -> Groups:
    """Bring together what has the same ports."""
    groups: Groups = {}
    for part in parts:
        key = (part.action, part.ports)
        group = groups.get(key)
        if group is None:
            group = groups[key] = Group()
        if isinstance(part, PodsPart):
            group.pods |= part.pods
        elif isinstance(part, ServicesPart):
            group.services |= part.services
        elif isinstance(part, BlockPart):
            entry = Entry(part.cidr, part.excepts, part.ports, "", part.action)
            group.blocks["".join((part.cidr, *part.excepts))] = entry
        else:
            group.blocks[part.domain] = Entry("", (), part.ports, part.domain, part.action)
    return groups


class Packer:
    """Counts and writes out what a `Resolver` resolved. *merging* is the kind's and release's."""

    def __init__(self, resolver: Resolver, merging: Merging) -> None:
        self._resolver = resolver
        self._book: AddressBook = resolver.book
        self.merging = merging
        self._is_cluster = merging is Merging.BY_ACTION
        self._service_heads: dict[int, bytes] = {}

    # --- counting -----------------------------------------------------------------------------------------------------

    def count(self, parts: tuple[Part, ...]) -> int:
        """Return how many entries *parts* make, before any are merged."""
        if len(parts) < 2:  # noqa: PLR2004 - one part cannot be taken for another
            return self._count_one(parts[0]) if parts else 0
        groups = gather(parts)
        if not self._is_simple(groups):
            return len(self._told_apart(parts))
        book = self._book
        return sum(
            book.count_addresses(g.pods) + g.services.bit_count() + len(g.blocks) for g in groups.values()
        )

    def _count_one(self, part: Part) -> int:
        if isinstance(part, PodsPart):
            if self._resolver.is_plain:
                return self._book.count_addresses(part.pods)
            return len(set(self._book.addresses(part.pods)))
        if isinstance(part, ServicesPart):
            return part.services.bit_count() if self._resolver.is_plain else len(self._told_apart((part,)))
        return 1

    def _is_simple(self, groups: Groups) -> bool:
        """Say whether no entry of one group, or of two, is taken for another by mistake."""
        resolver = self._resolver
        if not resolver.is_plain:
            return False
        if len(groups) > 1:
            if self._is_cluster:
                texts = {(action, _spoken(ports)) for action, ports in groups}
                hashed = {(action, _hashed(ports)) for action, ports in groups}
                if min(len(texts), len(hashed)) < len(groups):
                    return False
            elif len({text_of(ports) for _, ports in groups}) < len(groups):
                return False
        for group in groups.values():
            for entry in group.blocks.values():
                # A block of a kind whose blocks nobody checks may be an address, and a pod's.
                if "/" not in entry.cidr and (entry.cidr in self._book.taken or entry.cidr in resolver.service_addresses):
                    return False
        return True

    # --- entries ------------------------------------------------------------------------------------------------------

    def entries(self, parts: Iterable[Part]) -> Iterator[Entry]:
        """Yield each entry that *parts* make, before any are merged."""
        yield from self._told_apart(parts).values()

    def _told_apart(self, parts: Iterable[Part]) -> dict[str, Entry]:
        written = self._written(parts)
        if self._is_cluster:
            first: dict[tuple[str, str, str, str], Entry] = {}
            for entry in written:
                if entry.cidr or entry.domain:
                    first.setdefault((entry.cidr, entry.domain, entry.action, _spoken(entry.ports)), entry)
            return {f"{e.cidr}{e.domain}{e.action}{_hashed(e.ports)}": e for e in first.values()}
        return {f"{e.domain or ''.join((e.cidr, *e.excepts))}{text_of(e.ports)}": e for e in written}

    def _written(self, parts: Iterable[Part]) -> Iterator[Entry]:
        members = self._resolver.services.members
        for part in parts:
            if isinstance(part, PodsPart):
                for address in self._book.addresses(part.pods):
                    yield Entry(address, (), part.ports, "", part.action)
            elif isinstance(part, ServicesPart):
                for i in indexes_of(part.services):
                    yield Entry(members[i].spec.cluster_ip, (), part.ports, "", part.action)
            elif isinstance(part, BlockPart):
                yield Entry(part.cidr, part.excepts, part.ports, "", part.action)
            else:
                yield Entry("", (), part.ports, part.domain, part.action)

    def merged(self, parts: Iterable[Part]) -> dict[tuple[str, ...], list[Entry]]:
        """Return the entries of *parts* by what they are merged by: those of one list become one in an object that has all."""
        found: dict[tuple[str, ...], list[Entry]] = {}
        for entry in self.entries(parts):
            found.setdefault(self.key(entry), []).append(entry)
        return found

    def key(self, entry: Entry) -> tuple[str, ...]:
        """Return what an entry is merged by; it starts with CIDR, domain and action."""
        head = (entry.cidr, entry.domain, entry.action)
        match self.merging:
            case Merging.BY_BLOCK:
                return (*head, *sorted(entry.excepts))
            case Merging.NEVER:
                return (*head, *entry.excepts, text_of(entry.ports))
            case Merging.BY_CIDR | Merging.BY_ACTION:
                return head

    # --- objects ------------------------------------------------------------------------------------------------------

    def chunks(self, parts: tuple[Part, ...], size: int) -> Iterator[list[bytes]]:
        """Yield the entries of *parts* in JSON, object by object, *size* to an object before they are merged."""
        done: list[bytes] = []
        room = size
        for cell in self._cells(parts):
            at, count, width = 0, len(cell.heads), len(cell.parts)
            while at < count:
                if room >= width:
                    some = cell.heads[at : at + room // width]
                    tails = _tails(cell.parts, self.merging)
                    done += [head + tail for head in some for tail in tails] if len(tails) > 1 else [h + tails[0] for h in some]
                    at += len(some)
                    room -= len(some) * width
                    if not room:
                        yield done
                        done, room = [], size
                    continue
                # What belongs to one address is cut by the end of an object, so each part is merged for itself.
                head, left = cell.heads[at], cell.parts
                while left:
                    now, left = left[:room], left[room:]
                    done += [head + tail for tail in _tails(now, self.merging)]
                    room -= len(now)
                    if not room:
                        yield done
                        done, room = [], size
                at += 1
        if done:
            yield done

    def _cells(self, parts: tuple[Part, ...]) -> Iterator[_Cell]:
        groups = gather(parts)
        if not self._is_simple(groups):
            by_key: dict[tuple[str, ...], list[Entry]] = {}
            for entry in self._told_apart(parts).values():
                by_key.setdefault(self.key(entry), []).append(entry)
            for alike in by_key.values():
                yield _cell_of(alike)
            return
        hosts = self._resolver.universe.on_host_network
        separate = self.merging is Merging.NEVER
        for pods, said in _parts_of(((g.pods & ~hosts, k) for k, g in groups.items()), separate=separate):
            yield _Cell(self._book.heads(pods), said)
        yield from self._of_hosts(groups, hosts, separate=separate)
        for services, said in _parts_of(((g.services, k) for k, g in groups.items()), separate=separate):
            yield _Cell([self._service_head(i) for i in indexes_of(services)], said)
        blocks: dict[tuple[str, ...], list[Entry]] = {}
        for group in groups.values():
            for entry in group.blocks.values():
                blocks.setdefault(self.key(entry), []).append(entry)
        for alike in blocks.values():
            yield _cell_of(alike)

    def _of_hosts(self, groups: Groups, hosts: Classes, *, separate: bool) -> Iterator[_Cell]:
        at: dict[bytes, list[_Said]] = {}
        found = {key: self._book.heads(g.pods & hosts) for key, g in groups.items() if g.pods & hosts}
        if len(found) == 1 or separate:
            for (action, ports), heads in found.items():
                yield _Cell(heads, (_Said(action, ports),))
            return
        for (action, ports), heads in found.items():
            for head in heads:
                at.setdefault(head, []).append(_Said(action, ports))
        together: dict[tuple[tuple[_Said, ...]], list[bytes]] = {}
        for head, said in at.items():
            for alike in _by_action(said):
                together.setdefault((alike,), []).append(head)
        for (alike,), heads in together.items():
            yield _Cell(heads, alike)

    def _service_head(self, index: int) -> bytes:
        known = self._service_heads.get(index)
        if known is None:
            address = self._resolver.services.members[index].spec.cluster_ip
            known = self._service_heads[index] = b'{"cidr":' + _ENCODE(address)
        return known


class _Said(NamedTuple):
    """What one entry says beside its address."""

    action: str
    ports: PortList
    excepts: tuple[str, ...] = ()


class _Cell(NamedTuple):
    """Addresses with the same entries, one for each of *parts*."""

    heads: list[bytes]
    parts: tuple[_Said, ...]


def _cell_of(alike: list[Entry]) -> _Cell:
    one = alike[0]
    head = b'{"domainName":' + _ENCODE(one.domain) if one.domain else b'{"cidr":' + _ENCODE(one.cidr)
    return _Cell([head], tuple(_Said(e.action, e.ports, e.excepts) for e in alike))


def _by_action(said: Iterable[_Said]) -> Iterator[tuple[_Said, ...]]:
    by: dict[str, list[_Said]] = {}
    for one in said:
        by.setdefault(one.action, []).append(one)
    for alike in by.values():
        yield tuple(alike)


def _parts_of(
    sets: Iterable[tuple[Classes, tuple[str, PortList]]], *, separate: bool
) -> Iterator[tuple[Classes, tuple[_Said, ...]]]:
    """Cut sets into parts whose members are in the same of them: what entries each member has."""
    parts: dict[tuple[_Said, ...], Classes] = {}
    for members, (action, ports) in sets:
        own = _Said(action, ports)
        if not members:
            continue
        if separate:
            yield members, (own,)
            continue
        after: dict[tuple[_Said, ...], Classes] = {}
        rest = members
        for said, classes in parts.items():
            # Entries with another action stay apart.
            if said[0].action != action:
                after[said] = after.get(said, 0) | classes
                continue
            both = classes & members
            if both:
                after[*said, own] = after.get((*said, own), 0) | both
                rest &= ~both
            if classes & ~both:
                after[said] = after.get(said, 0) | (classes & ~both)
        if rest:
            after[own,] = after.get((own,), 0) | rest
        parts = after
    for said, classes in parts.items():
        yield classes, said


@lru_cache(maxsize=1 << 14)
def _tails(parts: tuple[_Said, ...], merging: Merging) -> tuple[bytes, ...]:
    """Return the rest of the entries that *parts* become in one object, from the comma after the address on."""
    if len(parts) == 1 or merging is Merging.NEVER:
        return tuple(_tail(p.action, p.ports, p.excepts) for p in parts)
    action, excepts = parts[0].action, parts[0].excepts
    ports = tuple(port for p in parts for port in p.ports)
    match merging:
        case Merging.BY_BLOCK:
            ports = () if any(not p.ports for p in parts) else once(ports)
        case Merging.BY_ACTION:
            ports = once(ports)
        case Merging.BY_CIDR:
            excepts = tuple(e for p in parts for e in p.excepts)
    return (_tail(action, ports, excepts),)


def once(ports: PortList) -> PortList:
    """Return *ports*, each once; what is not written counts as TCP, and as 0."""
    found: dict[tuple[str, int, int], Port] = {}
    for port in ports:
        found.setdefault((port[0] or "TCP", port[1] or 0, port[2] or 0), port)
    return tuple(found.values())


def _tail(action: str, ports: PortList, excepts: tuple[str, ...]) -> bytes:
    done = [b',"except":' + _ENCODE(excepts)] if excepts else []
    if action:
        done.append(b',"action":' + _ENCODE(action))
    if ports:
        done.append(b',"ports":' + _ENCODE([_port(*port) for port in ports]))
    return b"".join((*done, b"}"))


def _port(protocol: str, port: int | None, end: int | None) -> dict[str, str | int]:
    # The definition's own default makes TCP of a protocol that is not written.
    found: dict[str, str | int] = {} if end is None else {"endPort": end}
    if port is not None:
        found["port"] = port
    return {**found, "protocol": protocol or "TCP"}


@lru_cache(maxsize=1 << 12)
def _spoken(ports: PortList) -> str:
    """Return the text by which cluster-wide policies first tell entries apart: ``endPort`` is not in it."""
    words = (f"{protocol or 'TCP'}:{'any' if port is None else port}" for protocol, port, _ in ports)
    return ",".join(words) if ports else "all"


@lru_cache(maxsize=1 << 12)
def _hashed(ports: PortList) -> str:
    """Return the text by which they are told apart again: numbers as Unicode characters, of which some are none."""
    return "".join(protocol + _character(port) + _character(end) for protocol, port, end in ports)


def _character(number: int | None) -> str:
    if number is None:
        return ""
    return _NO_CHARACTER if number in _SURROGATES else chr(number)
