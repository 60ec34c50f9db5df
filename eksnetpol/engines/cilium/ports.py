"""What the ports and ICMP types of a rule speak of, and what is looked at beyond them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from msgspec import UNSET, UnsetType

from eksnetpol.engines.cilium import icmp
from eksnetpol.engines.cilium.faults import UnclearError, by_parser, by_schema
from eksnetpol.engines.cilium.settings import Settings
from eksnetpol.engines.cilium.shapes import DenyPortRule, L7Rules, Port, PortRule, Rule
from eksnetpol.policy.connections import EVERYTHING, NOTHING, TCP, WITH_PORTS, Connections
from eksnetpol.policy.ports import PortSet
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.stacks.rules import PortName

_MOST_PORTS = 40
_LAST_PORT = 65535
_NO_PORTS = ("VRRP", "IGMP", "GRE", "IPIP", "IPV6", "ESP", "AH")
"""Protocols that a rule can name and that have no ports."""

_KINDS = ("http", "kafka", "dns", "l7proto")
"""What rules beyond ports can be about; of these fields one is there."""

_SERVICE_NAME = re.compile(r"(?=.{1,15}$)(?=.*[A-Za-z])[A-Za-z0-9]+(-[A-Za-z0-9]+)*")
"""A name as IANA has them; ``0x50`` is one."""


class Spoken(NamedTuple):
    """What a rule speaks of: connections and names of ports, and what is looked at beyond them."""

    connections: Connections
    names: tuple[PortName, ...] = ()
    judged_further: tuple[str, ...] = ()


def spoken(rule: Rule, direction: Direction, settings: Settings, place: str) -> tuple[Spoken, ...] | None:
    """Return what *rule* speaks of; None where it names neither ports nor ICMP types, and nothing where it names none of any.

    Raises `RefusedError` for what Cilium refuses, and `UnclearError` for what is not known here.
    """
    ports: Sequence[PortRule | DenyPortRule] = [] if rule.to_ports is UNSET else rule.to_ports
    icmps = [] if rule.icmps is UNSET else rule.icmps
    if icmps and not settings.icmp_rules:
        raise by_parser("rules for ICMP are switched off (enable-icmp-rules)", f"{place}.icmps")
    if icmps and ports:
        raise by_parser("icmps and toPorts cannot be in one rule", f"{place}.icmps")
    if not icmps and not ports:
        return None
    if icmps:
        return tuple(map(Spoken, icmp.spoken(icmps, f"{place}.icmps")))
    found: list[Spoken] = []
    for number, one in enumerate(ports):
        found += _ports(one, direction, settings, f"{place}.toPorts[{number}]")
    return tuple(found)


# --- ports ------------------------------------------------------------------------------------------------------------


def _ports(one: PortRule | DenyPortRule, direction: Direction, settings: Settings, place: str) -> Iterator[Spoken]:
    ports = [] if one.ports is UNSET else one.ports
    if len(ports) > _MOST_PORTS:
        raise by_parser(f"{len(ports)} ports, and no more than {_MOST_PORTS} may be listed", f"{place}.ports")
    further = _beyond(one, direction, settings, place) if isinstance(one, PortRule) else ()
    rules = UNSET if isinstance(one, DenyPortRule) else one.rules
    connections, names = NOTHING, []
    for number, port in enumerate(ports):
        here = f"{place}.ports[{number}]"
        if settings.extended_protocols and port.protocol in _NO_PORTS:
            raise UnclearError(f"what a rule for {port.protocol} does is not known", f"{here}.protocol")
        low = _number(port, here)
        for protocol in _protocols(port, here):
            _check_beyond(rules, protocol, port, low, here)
            if low is None:
                names.append(PortName(port.port.lower(), protocol))
            else:
                if low < port.end_port:
                    check_ranges(settings, f"{here}.endPort")
                connections = connections | Connections.only(protocol, _range(low, port.end_port))
    if ports:
        yield Spoken(connections, _merged(names), further)


def _merged(names: Iterable[PortName]) -> tuple[PortName, ...]:
    """Return *names* with those that hold for all protocols said once."""
    by_name: dict[str, list[str]] = {}
    for one in names:
        by_name.setdefault(one.name, []).append(one.protocol)
    found: list[PortName] = []
    for name, protocols in by_name.items():
        found += [PortName(name)] if set(protocols) == set(WITH_PORTS) else [PortName(name, p) for p in dict.fromkeys(protocols)]
    return tuple(found)


def _number(port: Port, place: str) -> int | None:
    """Return a port as a number; None for a name."""
    if not port.port:
        raise by_parser("the port must be given", place)
    if _SERVICE_NAME.fullmatch(port.port):
        return None
    if not port.port.isascii() or not port.port.isdigit() or int(port.port) > _LAST_PORT:
        raise by_parser(f"{port.port!r} is no port", f"{place}.port")
    if len(port.port) > 1 and port.port.startswith("0"):
        raise UnclearError(f"whether {port.port!r} is octal is not known here", f"{place}.port")
    return int(port.port)


def check_ranges(settings: Settings, place: str) -> None:
    """Raise `UnclearError` where a range of ports may mean its first port alone, or that the policy is not in force."""
    if settings.port_ranges:
        return
    words = "releases of Cilium before 1.17 read the first port of a range alone, or take none of the policy"
    raise UnclearError(words if settings.port_ranges is False else f"{words}, and this release is not known", place)


def _range(low: int, high: int) -> PortSet | None:
    """Return the ports from *low* to *high*; None for all. An end below the beginning is none."""
    return PortSet([(low, max(low, high))]) if low else None


def _protocols(port: Port, place: str) -> tuple[str, ...]:
    """Return the protocols of a port: all that have ports, where it names none."""
    here = f"{place}.protocol"
    if port.protocol in {"", "ANY"}:
        return WITH_PORTS
    if port.protocol in WITH_PORTS:
        return (port.protocol,)
    if port.protocol in _NO_PORTS:
        raise UnclearError(f"what a rule for {port.protocol} with a port does is not known", here)
    raise by_schema(f"{port.protocol!r} is no protocol that can be named", here)


# --- what is looked at beyond ports -----------------------------------------------------------------------------------


def _beyond(one: PortRule, direction: Direction, settings: Settings, place: str) -> tuple[str, ...]:
    found: list[str] = []
    rules = one.rules
    kinds = [] if rules is UNSET else _kinds(rules, direction, settings, f"{place}.rules")
    found += kinds
    names = [] if one.server_names is UNSET else one.server_names
    if names:
        if not all(names):
            raise by_parser("a server name is empty", f"{place}.serverNames")
        if kinds and one.terminating_tls is UNSET:
            raise by_parser("serverNames beside rules need terminatingTLS", f"{place}.serverNames")
        found.append("the name that TLS asks for")
    if one.terminating_tls is not UNSET or one.originating_tls is not UNSET:
        found.append("TLS, which it opens")
    if one.listener is not UNSET:
        if kinds:
            raise by_parser("a listener cannot be beside rules", f"{place}.listener")
        if direction is Direction.INGRESS:
            raise UnclearError("whether this version takes a listener on ingress is not known", f"{place}.listener")
        found.append(f"what the listener {one.listener.name} looks at")
    return tuple(found)


def _kinds(rules: L7Rules, direction: Direction, settings: Settings, place: str) -> list[str]:
    """Return what rules beyond ports look at."""
    written = [name for name in _KINDS if getattr(rules, name) is not UNSET]
    if rules.l7 is not UNSET and rules.l7proto is UNSET:
        raise by_parser("l7 needs l7proto", place)
    if len(written) != 1:
        raise by_schema("exactly one of http, kafka, dns and l7proto must be there", place)
    if rules.dns is not UNSET and rules.dns and direction is Direction.INGRESS:
        raise by_parser("rules for DNS are not taken on ingress", f"{place}.dns")
    words = {"http": "HTTP requests", "kafka": "Kafka requests", "dns": "the names that are asked of DNS"}
    kinds = [words.get(name, f"requests of {rules.l7proto}") for name in written if getattr(rules, name)]
    if kinds and not settings.l7_proxy:
        raise by_parser("the proxy for such rules is switched off (enable-l7-proxy)", place)
    return kinds


def _check_beyond(rules: L7Rules | UnsetType, protocol: str, port: Port, low: int | None, place: str) -> None:
    if rules is UNSET or not (rules.http or rules.kafka or rules.dns or rules.l7):
        return
    if low == 0:
        raise by_parser("rules cannot be for port 0", place)
    if rules.dns is not UNSET:
        if low is not None and port.end_port > low:
            raise by_parser("rules for DNS cannot be for a range of ports", place)
    elif protocol != TCP:
        raise by_parser(f"rules beyond ports are for TCP, not for {port.protocol or 'ANY'}", f"{place}.protocol")


ALL: tuple[Spoken, ...] = (Spoken(EVERYTHING),)
"""Any connection."""

NONE: tuple[Spoken, ...] = (Spoken(NOTHING),)
"""No connection."""
