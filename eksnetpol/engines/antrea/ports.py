"""What a rule speaks of beside its peers: ports, ICMP, IGMP, and what is judged beyond."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from eksnetpol.engines.antrea.refusals import NotRead, NotTaken
from eksnetpol.engines.antrea.schema import Icmp, Igmp, Port, Rule, written
from eksnetpol.policy.connections import EVERYTHING, ICMP, ICMPV6, NOTHING, OTHER, Connections
from eksnetpol.policy.ports import EVERY_PORT, PortSet
from eksnetpol.policy.stacks.formulas import EVERYBODY, Formula, Unknowable
from eksnetpol.policy.stacks.rules import PortName

_IGMP = 2
"""Its number among IP protocols."""
_CODES = 256


class Spoken(NamedTuple):
    """A part of what a rule speaks of. ``where`` is what is to be true beside: a condition that nobody can know, or none."""

    connections: Connections
    names: tuple[PortName, ...] = ()
    source_ports: PortSet = EVERY_PORT
    where: Formula = EVERYBODY


def spoken_of(place: str, rule: Rule) -> list[Spoken]:
    """Return what *rule* speaks of, in parts that are alternatives.

    Raises `NotTaken` or `NotRead` for ports that are none. ICMP stands for that of both families: an address has one of them.
    """
    if not rule.ports and not rule.protocols:
        return [Spoken(EVERYTHING)]
    found: dict[PortSet, tuple[Connections, list[PortName]]] = {}
    for at, port in enumerate(rule.ports):
        here = f"{place}.ports[{at}]"
        connections, names = found.setdefault(_source(here, port), (NOTHING, []))
        if isinstance(port.port, str):
            names.append(_named(here, port, port.port))
        else:
            found[_source(here, port)] = (connections | _numbered(here, port, port.port), names)
    parts = [Spoken(connections, tuple(names), source) for source, (connections, names) in found.items()]
    icmp = NOTHING
    for protocol in rule.protocols:
        if protocol.icmp is not None:
            icmp = icmp | _icmp(protocol.icmp)
        if protocol.igmp is not None:
            parts.append(Spoken(Connections.only(OTHER, PortSet.of(_IGMP)), where=_igmp(protocol.igmp)))
    return [*parts, Spoken(icmp)] if icmp else parts


def further(rule: Rule) -> tuple[str, ...]:
    """Return what is judged beyond ports."""
    return tuple(dict.fromkeys(_further(rule)))


def _further(rule: Rule) -> Iterator[str]:
    for protocol in rule.l7_protocols:
        yield "HTTP requests" if protocol.http is not None else "the server names of TLS handshakes"


def _source(place: str, port: Port) -> PortSet:
    if port.source_port is None:
        if port.source_end_port is not None:
            raise NotRead(place, "what sourceEndPort means without sourcePort is not known")
        return EVERY_PORT
    end = port.source_port if port.source_end_port is None else port.source_end_port
    if end < port.source_port:
        raise NotRead(place, f"sourceEndPort {end} is below sourcePort {port.source_port}")
    return PortSet([(port.source_port, end)])


def _named(place: str, port: Port, name: str) -> PortName:
    if port.end_port is not None:
        raise NotTaken(place, "endPort cannot stand beside a name")
    return PortName(name, port.protocol)


def _numbered(place: str, port: Port, number: int | None) -> Connections:
    if number is None:
        if port.end_port is not None:
            raise NotTaken(place, "endPort cannot stand without port")
        return Connections.only(port.protocol)
    end = number if port.end_port is None else port.end_port
    if end < number:
        raise NotTaken(place, f"endPort {end} is below port {number}")
    return Connections.only(port.protocol, PortSet([(number, end)]))


def _icmp(icmp: Icmp) -> Connections:
    low, high = (0, _CODES - 1) if icmp.icmp_code is None else (icmp.icmp_code, icmp.icmp_code)
    types = range(_CODES) if icmp.icmp_type is None else (icmp.icmp_type,)
    numbers = PortSet((kind * _CODES + low, kind * _CODES + high) for kind in types)
    return Connections({ICMP: numbers, ICMPV6: numbers})


def _igmp(igmp: Igmp) -> Formula:
    return Unknowable("the type and group of IGMP messages") if written(igmp) else EVERYBODY
