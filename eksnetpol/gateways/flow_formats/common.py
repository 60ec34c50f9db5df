"""What parsers of flow logs share: addresses, ports and times, each a `ValueError` where it is none."""

from __future__ import annotations

import ipaddress
from datetime import datetime
from functools import lru_cache

from eksnetpol.model.flows import IANA

_HIGHEST = 65535
_NAMES = {name.upper(): name for name in IANA.values()}
_OTHER_NAMES = {"ICMPV4": "ICMP", "IPV6-ICMP": "ICMPv6", "ICMP6": "ICMPv6"}
_MILLISECONDS = 10_000_000_000
"""Seconds since 1970 that no log of ours reaches: larger numbers are milliseconds, microseconds or nanoseconds."""


@lru_cache(maxsize=1 << 16)
def address(text: str) -> str:
    """Return an address in its usual form."""
    return str(ipaddress.ip_address(text))


def port(text: str | int) -> int:
    """Return the number of a port."""
    number = int(text)
    if not 0 <= number <= _HIGHEST:
        message = f"{number} is no port"
        raise ValueError(message)
    return number


def protocol(text: str | int) -> str:
    """Return a protocol by name or IANA number, as `policy.connections` calls it."""
    name = str(text).strip().upper()
    if name.isdigit():
        return IANA.get(name, "OTHER")
    return _NAMES.get(name) or _OTHER_NAMES.get(name, "OTHER")


def seconds(text: str | float) -> float:
    """Return a time as seconds since 1970: RFC 3339, or a number of seconds, milliseconds, microseconds or nanoseconds."""
    try:
        number = float(text)
    except ValueError:
        given = str(text)
        return datetime.fromisoformat(given if given[-1:] == "Z" or given[-6:-5] in {"+", "-"} else f"{given}Z").timestamp()
    while number > _MILLISECONDS:
        number /= 1000
    return number
