"""What ``conntrack -L`` prints, ``-o extended`` or not, and ``/proc/net/nf_conntrack``.

Each line has two tuples: what the client sent, and what is expected back. Where the second is not the first turned round,
somebody translated an address, and the two together tell which pod answers for a Service.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from eksnetpol.gateways.flow_formats.common import address, port, protocol
from eksnetpol.model.flows import End, Flow, Observed

_PAIR = re.compile(r"\b(src|dst|sport|dport|type|code|bytes)=(\S+)")
_PROTOCOL = re.compile(r"(?:^|\s)([a-z][a-z0-9-]*)\s+(\d+)\s+(?:\d+\s+)?(?:\S+\s+)?(?:\[\w+\]\s+)?src=")
_CASE = 256
_ECHO = {"ICMP": 8, "ICMPv6": 128}


def looks_like(line: str) -> bool:
    """Say whether *line* is an entry of the table."""
    return "src=" in line and "dst=" in line and ("sport=" in line or "type=" in line or "src=" in line.split("dst=", 1)[1])


def flows(line: str) -> Iterator[Flow]:
    """Yield the connection of an entry; raise `ValueError` for a line that is none."""
    if line.startswith("conntrack v") or not line.strip():
        return
    sent, back = _tuples(line)
    named = _PROTOCOL.search(line)
    if named is None or "src" not in sent or "dst" not in sent:
        message = "no entry of the table: src= and dst= behind a protocol were expected"
        raise ValueError(message)
    kind = protocol(named.group(2) if named.group(1) in {"unknown", "ipv4", "ipv6"} else named.group(1))
    number: int | None = port(sent.get("dport", 0))
    if kind in _ECHO:
        number = int(sent.get("type", _ECHO[kind])) * _CASE + int(sent.get("code", 0))
    elif kind == "OTHER":
        number = int(named.group(2))
    source, asked = address(sent["src"]), address(sent["dst"])
    there = address(back["src"]) if "src" in back else asked
    answers = port(back.get("sport", sent.get("dport", 0)))
    turned = there != asked or (kind not in _ECHO and answers != number)
    yield Flow(
        source=End(source),
        destination=End(there),
        protocol=kind,
        number=answers if turned and kind not in _ECHO and kind != "OTHER" else number,
        source_port=port(sent.get("sport", 0)),
        observed=Observed.UNANSWERED if "[UNREPLIED]" in line and kind != "UDP" else Observed.ACCEPTED,
        size=int(sent.get("bytes", 0)) + int(back.get("bytes", 0)),
        asked=(asked, number or 0) if turned else None,
    )


def _tuples(line: str) -> tuple[dict[str, str], dict[str, str]]:
    sent: dict[str, str] = {}
    back: dict[str, str] = {}
    into = sent
    for key, value in _PAIR.findall(line):
        if key == "src" and "src" in into:
            into = back
        into.setdefault(key, value)
    return sent, back
