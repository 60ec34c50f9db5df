"""Which way of reading blocks a profile asks for."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from eksnetpol.model.versions import Release
from eksnetpol.policy.agent_map import Entry
from eksnetpol.policy.atlas import UNKNOWN
from eksnetpol.policy.connections import ICMPV6, NOTHING, WITH_PORTS, Connections
from eksnetpol.policy.dataplane import EXCEPTS_LAST, connections_at
from eksnetpol.policy.partitions import Judge
from eksnetpol.policy.ports import PortSet
from eksnetpol.policy.profile import Profile, Semantics
from eksnetpol.policy.slots import Slot
from eksnetpol.policy.spots import Block, Spot, compiled, specified

_PING6 = Connections.only(ICMPV6)


def judge_of(profile: Profile) -> Judge:
    """Return what says for *profile* what blocks let through at an address."""
    if profile.semantics is not Semantics.VPC_CNI:
        return _as_specified
    if profile.agent.base >= EXCEPTS_LAST:
        return _as_agent
    return _Older(profile.agent)


def _as_specified(blocks: Sequence[Block], address: int, version: int) -> Spot:
    return _of_all(blocks, version) if address == UNKNOWN else specified(blocks, address, version)


def _as_agent(blocks: Sequence[Block], address: int, version: int) -> Spot:
    return _of_all(blocks, version) if address == UNKNOWN else compiled(blocks, address, version)


class _Older:
    """Compiles blocks as an older agent does, through `dataplane`."""

    def __init__(self, agent: Release) -> None:
        self.agent = agent

    def __call__(self, blocks: Sequence[Block], address: int, version: int) -> Spot:
        if address == UNKNOWN:
            return _of_all(blocks, version)
        host = str(ipaddress.IPv4Address(address) if version == 4 else ipaddress.IPv6Address(address))  # noqa: PLR2004
        entries = [Entry(str(b.network), tuple(map(str, b.excepts)), slots) for b in blocks if (slots := _slots(b)) is not None]
        # What a rule for the pod itself would take over: a port of its own is asked for twice, and what is no part of it stays.
        one, other = (
            self._at([*entries, Entry(host, (), (Slot("SCTP", port, port),))], host, version)
            - Connections.only("SCTP", PortSet.of(port))
            for port in (1, 2)
        )
        return Spot(self._at(entries, host, version), one | other, found=bool(entries))

    def _at(self, entries: list[Entry], host: str, version: int) -> Connections:
        family = "ipv4" if version == 4 else "ipv6"  # noqa: PLR2004
        found = connections_at(entries, host, node_ip=None, family=family, agent=self.agent)
        return found if found.is_everything else found - _PING6


def _slots(block: Block) -> tuple[Slot, ...] | None:
    if block.connections.is_everything:
        return ()
    named = ((p, ports) for p, ports in block.connections.items() if p in WITH_PORTS)
    return tuple(Slot(p, low, high) for p, ports in named for low, high in ports.intervals) or None


def _of_all(blocks: Sequence[Block], version: int) -> Spot:
    """Return what the blocks of all addresses let through; no other surely holds an address that is not known."""
    answer, found = NOTHING, False
    for network, _, connections in blocks:
        if network.version == version and not network.prefixlen:
            answer, found = answer | connections, True
    return Spot(answer, answer, found)
