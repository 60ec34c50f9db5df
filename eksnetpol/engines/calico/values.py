"""What stands in the fields of Calico's objects: ports, protocols and blocks, as Calico reads and refuses them.

projectcalico/calico: api/pkg/lib/numorstring, libcalico-go/lib/net, libcalico-go/lib/validator/v3.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from eksnetpol.policy.addresses import Network
from eksnetpol.policy.connections import EVERYTHING, ICMP, ICMPV6, OTHER, SCTP, TCP, UDP, WITH_PORTS, Connections
from eksnetpol.policy.ports import PortSet
from eksnetpol.policy.validation_words import port_name_fault

LAST_PORT = 65535
_CODES = 256
_LAST_PROTOCOL, _LAST_TYPE, _LAST_CODE = 255, 254, 255
_NUMBERS = {1: ICMP, 6: TCP, 17: UDP, 58: ICMPV6, 132: SCTP}
_NAMES = {TCP: 6, UDP: 17, ICMP: 1, ICMPV6: 58, SCTP: 132, "UDPLite": 136}
_DIGITS = re.compile(r"[0-9]+", re.ASCII)
_RANGE = re.compile(r"([0-9]+):([0-9]+)", re.ASCII)
_BLOCK = re.compile(r"[0-9a-fA-F:.]+(/[0-9]{1,3})?", re.ASCII)
_LEADING_ZERO = re.compile(r"(^|\.)0[0-9]+[./]|(^|\.)0[0-9]+$")


class _At(Exception):
    """Something is wrong with a field. ``place`` is the field."""

    def __init__(self, place: str, why: str) -> None:
        super().__init__(f"{place}: {why}")
        self.place = place
        self.why = why


class RefusedError(_At):
    """Calico does not take the object: it is not in force."""


class UnclearError(_At):
    """What Calico makes of the object is not known here, so that no answer that it could change is certain."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Entries of a list of ports: by number, and by the names that pods give them."""

    numbers: PortSet
    names: tuple[str, ...] = ()


def ports(value: Any, place: str) -> Ports | None:
    """Return the entries of a list of ports, None for no list or an empty one. Raises `RefusedError`."""
    if not value:
        return None
    intervals: list[tuple[int, int]] = []
    names: list[str] = []
    for at, one in enumerate(listed(value, place)):
        found = _port(one, f"{place}[{at}]")
        if isinstance(found, str):
            names.append(found)
        else:
            intervals.append(found)
    return Ports(PortSet(intervals), tuple(dict.fromkeys(names)))


def _port(value: Any, place: str) -> tuple[int, int] | str:
    if isinstance(value, int) and not isinstance(value, bool):
        low = high = value
    elif isinstance(value, str) and _DIGITS.fullmatch(value):
        low = high = int(value)
    elif isinstance(value, str) and (found := _RANGE.fullmatch(value)):
        low, high = int(found[1]), int(found[2])
    elif isinstance(value, str):
        fault = port_name_fault(value)
        if fault:
            raise RefusedError(place, fault)
        return value
    else:
        raise RefusedError(place, f"{value!r} is no port: expected a number, a text like '80:90', or the name of a port")
    if not 1 <= low <= high <= LAST_PORT:
        raise RefusedError(place, f"{value!r} is no port and no range of ports: expected 1 to {LAST_PORT}, the lower one first")
    return low, high


def protocol(value: Any, place: str) -> tuple[str, PortSet] | None:
    """Return a protocol with its numbers, as `Connections` has them; None for none. Raises `RefusedError`."""
    if value is None:
        return None
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    number = _NAMES.get(value) if isinstance(value, str) else value
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= _LAST_PROTOCOL:
        names = ", ".join(_NAMES)
        raise RefusedError(place, f"{value!r} is no protocol: expected one of {names}, or a number from 1 to {_LAST_PROTOCOL}")
    name = _NUMBERS.get(number)
    return (OTHER, PortSet.of(number)) if name is None else (name, EVERYTHING[name])


def icmp(value: Any, place: str) -> PortSet | None:
    """Return type and code of ICMP as numbers of `Connections`; None for no field, or one that says nothing."""
    if value is None:
        return None
    kind, code = value.get("type"), value.get("code")
    for key, number, last in (("type", kind, _LAST_TYPE), ("code", code, _LAST_CODE)):
        if number is not None and (isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= last):
            raise RefusedError(f"{place}.{key}", f"{number!r} is no ICMP {key}: expected 0 to {last}")
    if kind is None:
        if code is not None:
            raise RefusedError(place, "an ICMP code means nothing without a type")
        return None
    if code is None:
        return PortSet([(kind * _CODES, kind * _CODES + _CODES - 1)])
    return PortSet.of(kind * _CODES + code)


def blocks(value: Any, place: str) -> frozenset[Network]:
    """Return the blocks of a rule. Raises `RefusedError`: also for single addresses and for bits beyond the length."""
    if not value:
        return frozenset()
    found: set[Network] = set()
    for at, text in enumerate(listed(value, place)):
        here = f"{place}[{at}]"
        network = block(text, here)
        if "/" not in text:
            raise RefusedError(here, f"{text!r} has no length: expected a CIDR such as {network}")
        if ipaddress.ip_address(text.partition("/")[0]) != network.network_address:
            raise RefusedError(here, f"{text!r} has bits set beyond its length: expected {network}")
        found.add(network)
    return frozenset(found)


def block(text: Any, place: str) -> Network:
    """Return a block or an address, its bits beyond the length cut off. Raises `RefusedError` and `UnclearError`."""
    if isinstance(text, str) and _BLOCK.fullmatch(text) and (":" in text or not _LEADING_ZERO.search(text)):
        try:
            network = ipaddress.ip_network(text, strict=False)
        except ValueError:
            network = None
        if network is not None:
            first = network.network_address
            if isinstance(first, ipaddress.IPv6Address) and first.ipv4_mapped is not None:
                raise UnclearError(place, f"{text!r} is an IPv4 block written as an IPv6 one")
            return network
    raise RefusedError(place, f"{text!r} is no CIDR")


def listed(value: Any, place: str) -> Iterable[Any]:
    """Return *value*, which is a list; raises `RefusedError` where it is none."""
    if not isinstance(value, list):
        raise RefusedError(place, f"expected a list, found {value!r}")
    return value


def numbered(numbers: PortSet, protocols: Iterable[str]) -> Connections:
    """Return ports of those of *protocols* that have any."""
    return Connections({name: numbers for name in protocols if name in WITH_PORTS})
