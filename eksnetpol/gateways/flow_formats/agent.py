"""The policy log of the node agent: in its file, on the console, through Fluent Bit, and as CloudWatch Logs has it.

Up to v1.2.1 a verdict is a JSON line with the fields ``Src IP``, ``Src Port``, …; from v1.2.2 it is one sentence in ``msg``
with a direction, from v1.3.0 with a tier; with IPv6 all its words have colons, with IPv4 the last have none. The message in
CloudWatch is ``Node: …;SIP: …;SPORT: …`` (aws/aws-network-policy-agent, pkg/ebpf/events/events.go). Whoever ships logs may wrap
all of that in JSON once more, with the quotation marks escaped, several events in a line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from eksnetpol.gateways.flow_formats.common import address, port, seconds
from eksnetpol.model.flows import End, Flow, Observed

_IS = r'\\*"?[ \t]*:?[ \t]*\\*"?'
_AND = r'\\*"?,?[\s\\t]*\\*"?'
_ADDRESS = r"([0-9A-Fa-f:.]+)"
_WORDS = re.compile(
    rf"Src IP{_IS}{_ADDRESS}{_AND}Src Port{_IS}(\d+){_AND}Dest IP{_IS}{_ADDRESS}{_AND}Dest Port{_IS}(\d+){_AND}"
    rf"Proto{_IS}([A-Z][A-Za-z0-9 ]*?){_AND}Verdict{_IS}([A-Z/]+)"
)
_SENT = re.compile(
    rf"SIP:\s*{_ADDRESS}\s*;\s*SPORT:\s*(\d+)\s*;\s*DIP:\s*{_ADDRESS}\s*;\s*DPORT:\s*(\d+)\s*;"
    r"\s*PROTOCOL:\s*([^;]*?)\s*;\s*PolicyVerdict:\s*([A-Z/]+)"
)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?")
_STAMP = re.compile(r'"(?:timestamp|ts)\\*"\s*:\s*([\d.]+(?:e\+?\d+)?)')
_BEGUN = re.compile(r"Flow Info|PolicyVerdict")
_VERDICTS = {"ACCEPT": Observed.ACCEPTED, "DENY": Observed.REFUSED}
_PROTOCOLS = {"TCP", "UDP", "SCTP"}


def looks_like(line: str) -> bool:
    """Say whether *line* is one that an agent writes, with a verdict or without."""
    return bool(_BEGUN.search(line)) or ('"msg"' in line and '"level"' in line and ('"caller"' in line or '"logger"' in line))


def flows(line: str) -> Iterator[Flow]:
    """Yield the flows with a verdict in *line*; raise `ValueError` where one is begun that cannot be read.

    Entries that ran out (``EXPIRED/DELETED``) are no traffic and are left out.
    """
    found = 0
    for pattern in (_WORDS, _SENT):
        for match in pattern.finditer(line):
            found += 1
            flow = _flow(match, line)
            if flow is not None:
                yield flow
    if not found and _BEGUN.search(line):
        message = "a verdict is begun and not in a form any release writes"
        raise ValueError(message)


def _flow(match: re.Match[str], line: str) -> Flow | None:
    source, source_port, destination, number, protocol, verdict = match.groups()
    observed = _VERDICTS.get(verdict)
    if observed is None:
        return None
    name = protocol.strip().upper()
    ports = name in _PROTOCOLS
    when = _when(match, line)
    return Flow(
        source=End(address(source)),
        destination=End(address(destination)),
        protocol=name if ports else "ICMP" if name.startswith("ICMP") else "OTHER",
        number=port(number) if ports else None,
        source_port=port(source_port) if ports else 0,
        observed=observed,
        first=when,
        last=when,
        told=False,
    )


def _when(match: re.Match[str], line: str) -> float:
    """Return the time that stands nearest before the verdict, or behind it where none does."""
    before = line[: match.start()]
    for pattern in (_TIME, _STAMP):
        times = pattern.findall(before)
        if times:
            return seconds(times[-1])
    for pattern in (_TIME, _STAMP):
        after = pattern.search(line, match.end())
        if after:
            return seconds(after.group(after.lastindex or 0))
    return 0.0
