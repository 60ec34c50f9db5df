"""Types of ICMP by number and name, and what a rule for them speaks of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import UNSET

from eksnetpol.engines.cilium.faults import by_parser, by_schema
from eksnetpol.engines.cilium.shapes import Icmp, IcmpField
from eksnetpol.policy.connections import ICMP, ICMPV6, NOTHING, Connections
from eksnetpol.policy.ports import EVERY_ICMP, PortSet

_MOST = 40
"""So many types a rule may list."""

_CODES = 256
"""Codes of one type of ICMP."""

_TYPES = {
    "IPv4": {
        "EchoReply": 0,
        "DestinationUnreachable": 3,
        "Redirect": 5,
        "EchoRequest": 8,
        "RouterAdvertisement": 9,
        "RouterSelection": 10,
        "TimeExceeded": 11,
        "ParameterProblem": 12,
        "Timestamp": 13,
        "TimestampReply": 14,
        "Photuris": 40,
        "ExtendedEchoRequest": 42,
        "ExtendedEchoReply": 43,
    },
    "IPv6": {
        "DestinationUnreachable": 1,
        "PacketTooBig": 2,
        "TimeExceeded": 3,
        "ParameterProblem": 4,
        "EchoRequest": 128,
        "EchoReply": 129,
        "MulticastListenerQuery": 130,
        "MulticastListenerReport": 131,
        "MulticastListenerDone": 132,
        "RouterSolicitation": 133,
        "RouterAdvertisement": 134,
        "NeighborSolicitation": 135,
        "NeighborAdvertisement": 136,
        "RedirectMessage": 137,
        "RouterRenumbering": 138,
        "ICMPNodeInformationQuery": 139,
        "ICMPNodeInformationResponse": 140,
        "InverseNeighborDiscoverySolicitation": 141,
        "InverseNeighborDiscoveryAdvertisement": 142,
        "HomeAgentAddressDiscoveryRequest": 144,
        "HomeAgentAddressDiscoveryReply": 145,
        "MobilePrefixSolicitation": 146,
        "MobilePrefixAdvertisement": 147,
        "DuplicateAddressRequestCodeSuffix": 157,
        "DuplicateAddressConfirmationCodeSuffix": 158,
        "ExtendedEchoRequest": 160,
        "ExtendedEchoReply": 161,
    },
}
"""Names of types, by family."""


def spoken(icmps: Iterable[Icmp], place: str) -> Iterator[Connections]:
    """Yield what each list of types speaks of; an empty one speaks of nothing. Raises `RefusedError` for what is no type."""
    for number, one in enumerate(icmps):
        fields = [] if one.fields is UNSET else one.fields
        here = f"{place}[{number}].fields"
        if len(fields) > _MOST:
            raise by_parser(f"{len(fields)} types, and no more than {_MOST} may be listed", here)
        found = NOTHING
        for at, field in enumerate(fields):
            found = found | _types(field, f"{here}[{at}]")
        if fields:
            yield found


def _types(field: IcmpField, place: str) -> Connections:
    family = field.family or "IPv4"
    if family not in _TYPES:
        raise by_schema(f"{field.family!r} is no family", f"{place}.family")
    number = field.type
    if isinstance(number, str):
        known = _TYPES[family].get(number)
        if known is None and not number.isdigit():
            raise by_schema(f"{number!r} is no type of ICMP over {family}", f"{place}.type")
        number = int(number) if known is None else known
    if not 0 <= number < _CODES:
        raise by_schema(f"{number} is no type of ICMP", f"{place}.type")
    # Type 0 is how the map of policies says all types.
    numbers = PortSet([(number * _CODES, number * _CODES + _CODES - 1)]) if number else EVERY_ICMP
    return Connections.only(ICMP if family == "IPv4" else ICMPV6, numbers)
