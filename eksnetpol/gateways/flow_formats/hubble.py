"""Hubble's flows as JSON: what its exporter writes, and what ``hubble observe -o json`` or ``-o jsonpb`` prints.

A connection shows at several points of its way, so flows are counted and not connections (cilium/cilium, api/v1/flow/flow.proto).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from eksnetpol.gateways.flow_formats.common import address, port, seconds
from eksnetpol.model.flows import End, Flow, Observed

_CASE = 256
_WITH_PORTS = ("TCP", "UDP", "SCTP")
_ICMP = (("ICMPv4", "ICMP"), ("ICMPv6", "ICMPv6"))
_REFUSED = frozenset({"DROPPED", "ERROR"})
_NO_TRAFFIC = frozenset({"TRACED", "TRANSLATED", "VERDICT_UNKNOWN"})
"""Events about a flow that another event tells of."""


class _Addresses(msgspec.Struct):
    source: str = ""
    destination: str = ""


class _Endpoint(msgspec.Struct):
    namespace: str = ""
    pod_name: str = ""


class _Flow(msgspec.Struct):
    verdict: str | int = ""
    time: str = ""
    ip: _Addresses | None = msgspec.field(default=None, name="IP")
    l4: dict[str, Any] | None = None
    source: _Endpoint | None = None
    destination: _Endpoint | None = None
    is_reply: bool | None = None
    type: str | int = msgspec.field(default="", name="Type")


class _Event(_Flow):
    flow: _Flow | None = None


_DECODER = msgspec.json.Decoder(_Event)


def looks_like(line: str) -> bool:
    """Say whether *line* is a flow of Hubble's."""
    return line.startswith("{") and '"verdict"' in line and ('"IP"' in line or '"l4"' in line)


def flows(line: str) -> Iterator[Flow]:
    """Yield the flow of a line; nothing for other events, for layer 7 and for what has no address.

    Raises `ValueError` for what is not JSON or of another shape.
    """
    try:
        event = _DECODER.decode(line)
    except (msgspec.MsgspecError, UnicodeError) as error:
        message = f"no flow in JSON: {error}"
        raise ValueError(message) from error
    one = event.flow if event.flow is not None else event
    if one.ip is None or not one.l4 or one.type == "L7" or one.verdict in _NO_TRAFFIC:
        return
    kind, number, source_port = _port(one.l4)
    when = seconds(one.time) if one.time else 0.0
    yield Flow(
        source=_end(one.ip.source, one.source),
        destination=_end(one.ip.destination, one.destination),
        protocol=kind,
        number=number,
        source_port=source_port,
        observed=Observed.REFUSED if one.verdict in _REFUSED else Observed.ACCEPTED,
        first=when,
        last=when,
        is_reply=bool(one.is_reply),
        told=one.is_reply is not None,
    )


def _end(text: str, endpoint: _Endpoint | None) -> End:
    name = endpoint or _Endpoint()
    return End(address(text) if text else "", name.namespace, name.pod_name)


def _port(l4: dict[str, Any]) -> tuple[str, int | None, int]:
    for kind in _WITH_PORTS:
        ports = l4.get(kind)
        if isinstance(ports, dict):
            return kind, port(ports.get("destination_port", 0)), port(ports.get("source_port", 0))
    for key, kind in _ICMP:
        what = l4.get(key)
        if isinstance(what, dict):
            return kind, int(what.get("type", 0)) * _CASE + int(what.get("code", 0)), 0
    message = f"the protocol {', '.join(l4)} is unknown"
    raise ValueError(message)
