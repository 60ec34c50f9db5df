"""Calico's flow logs as JSON: Felix's files and Calico Enterprise and Cloud, Goldmane's API, and Whisker's list of flows.

They say the same under three spellings: ``source_name_aggr``, ``source_name`` beside ``Key``, ``sourceName``. Where flows are
aggregated there are no addresses, only names that begin alike, ``web-5d8f7-*``; ``pub`` and ``pvt`` are networks outside.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from eksnetpol.gateways.flow_formats.common import address, port, protocol, seconds
from eksnetpol.model.flows import End, Flow, Observed

_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_NAMES = re.compile(r'"(?:source_name|sourceName|dest_name|destName|source_name_aggr|dest_name_aggr)"')
_NOTHING = frozenset({"", "-", "null", None})
_OUTSIDE = frozenset({"net", "network", "Network", "NetworkSet", "ns", 3, 4})
_HOSTS = frozenset({"hep", "HostEndpoint", 2})
_UNKNOWN_TYPE = {"ICMP": None, "ICMPv6": None}
_DENY = frozenset({"deny", "2"})

_DECODER = msgspec.json.Decoder(dict[str, Any])


def looks_like(line: str) -> bool:
    """Say whether *line* is a flow of Calico's."""
    return line.lstrip().startswith("{") and bool(_NAMES.search(line))


def flows(line: str) -> Iterator[Flow]:
    """Yield the flows of a line: one, or all that a list of Goldmane's or Whisker's holds.

    Raises `ValueError` for what is not JSON or of another shape.
    """
    try:
        given = _DECODER.decode(line)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        message = f"no flow in JSON: {error}"
        raise ValueError(message) from error
    listed = given.get("flows", given.get("items"))
    for one in listed if isinstance(listed, list) else [given]:
        if isinstance(one, dict):
            yield _flow(_flat(one))


def _flat(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return all fields on one level and in one spelling."""
    answer: dict[str, Any] = {}
    for key, value in given.items():
        if isinstance(value, dict) and key in {"flow", "Key", "key", "_source"}:
            answer |= _flat(value)
        else:
            answer[_CAPITAL.sub("_", key).lower()] = value
    return answer


def _flow(said: Mapping[str, Any]) -> Flow:
    kind = protocol(_text(said, "proto") or _text(said, "protocol"))
    number = said.get("dest_port")
    if kind in _UNKNOWN_TYPE:
        taken: int | None = None
    elif kind == "OTHER":
        taken = _whole(said.get("proto"))
    else:
        taken = port(number if isinstance(number, (int, str)) and number not in _NOTHING else 0)
    return Flow(
        source=_end(said, "source"),
        destination=_end(said, "dest"),
        protocol=kind,
        number=taken,
        observed=Observed.REFUSED if str(said.get("action", "")).lower() in _DENY else Observed.ACCEPTED,
        size=_whole(said.get("bytes_in")) + _whole(said.get("bytes_out")),
        first=_time(said.get("start_time")),
        last=_time(said.get("end_time")),
        times=max(1, _whole(said.get("num_flows")) or _whole(said.get("num_connections_started"))),
    )


def _end(said: Mapping[str, Any], side: str) -> End:
    ip = _text(said, f"{side}_ip")
    name = _text(said, f"{side}_name") or _text(said, f"{side}_name_aggr")
    kind = said.get(f"{side}_type")
    namespace = _text(said, f"{side}_namespace")
    if kind in _OUTSIDE or kind in _HOSTS or name in {"pub", "pvt"} or not namespace:
        return End(address(ip) if ip else "")
    return End(address(ip) if ip else "", namespace, name)


def _text(said: Mapping[str, Any], key: str) -> str:
    value = said.get(key)
    return "" if value is None or str(value) in _NOTHING else str(value)


def _whole(value: object) -> int:
    try:
        return max(0, int(value)) if isinstance(value, (int, float, str)) else 0
    except (ValueError, OverflowError):
        return 0


def _time(value: object) -> float:
    return seconds(value) if isinstance(value, (int, float, str)) and value not in _NOTHING else 0.0
