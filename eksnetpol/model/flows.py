"""Flows that somebody observed: one value for all kinds of logs, and a leaner one for those that come by the million."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

Record = Sequence[str]
"""The fields of a record of VPC Flow Logs, as text."""


class Columns(NamedTuple):
    """Where the fields of a `Record` stand. One that the log has not is where ``action`` is, or else the source's address."""

    source: int
    destination: int
    source_port: int
    port: int
    protocol: int
    flags: int
    action: int
    size: int
    start: int
    end: int
    status: int


IANA = {"1": "ICMP", "6": "TCP", "17": "UDP", "58": "ICMPv6", "132": "SCTP"}
"""Protocols by number, as `policy.connections` calls them; every other number is ``OTHER``."""


class Format(StrEnum):
    """Where flows come from. *vpc*: VPC Flow Logs; *agent*: the policy log of the node agent, as a file or from CloudWatch."""

    VPC = "vpc"
    AGENT = "agent"
    HUBBLE = "hubble"
    CALICO = "calico"
    CONNTRACK = "conntrack"


class Observed(StrEnum):
    """What became of a flow when it was observed."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    """By a security group, a network ACL or a policy."""
    UNANSWERED = "unanswered"
    """Nobody replied, so that nobody knows."""


class Settled(StrEnum):
    """How it was settled which side is the server: the log says it, or by what its ports are taken for."""

    TOLD = "told"
    FLAGS = "flags"
    KNOWN_PORT = "known-port"
    LOW_PORT = "low-port"
    GUESSED = "guessed"


class End(NamedTuple):
    """One end of a flow: an address, or where the log has none a pod's *namespace* and *name*.

    A name that ends in ``*`` stands for all pods that begin so. All empty: somewhere outside.
    """

    address: str = ""
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        return self.address or "/".join(p for p in (self.namespace, self.name) if p) or "somewhere"


class Flow(NamedTuple):
    """A flow, from who opened it to who answers, unless ``is_reply``. Times are seconds since 1970, 0 where not known.

    ``number`` is the destination's port, ``source_port`` the source's (0: not known); for ICMP type times 256 plus code (None:
    the log has no type), for ``OTHER`` the protocol's number. ``asked`` is the address and port that the source asked for, where
    a Service's was turned into a pod's. ``told`` is False where the log does not say who opened it. ``times`` is how many flows
    the log has put together, ``size`` their bytes.
    """

    source: End
    destination: End
    protocol: str
    number: int | None
    source_port: int = 0
    observed: Observed = Observed.ACCEPTED
    size: int = 0
    first: float = 0
    last: float = 0
    times: int = 1
    asked: tuple[str, int] | None = None
    is_reply: bool = False
    told: bool = True


class Malformed(NamedTuple):
    """A line that could not be read, and why."""

    line: int
    reason: str


_SHOWN = 5


@dataclass(slots=True)
class FileReport:
    """How the reading of one file went. ``examples`` are the first of the malformed lines; ``notes`` are for people."""

    name: str
    format: Format
    lines: int = 0
    malformed: int = 0
    examples: list[Malformed] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def bad(self, malformed: Malformed) -> None:
        """Count a line that could not be read."""
        self.malformed += 1
        if len(self.examples) < _SHOWN:
            self.examples.append(malformed)
