"""Observed flows put together by who talks to whom, and held against the policies: what they would deny.

Flows come by the hundred million. What is kept of them is one tally for each pair of parties, protocol, port and verdict; each
different pair of addresses is looked up and judged once. VPC Flow Logs record both directions of a connection, so which side is
the server has to be found out: by TCP flags, by the ports that pods, nodes and Services are known to serve, else by the ports
themselves. Older flows than the pod that has an address now were another's, and are only counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from operator import attrgetter, itemgetter

from eksnetpol.model.flows import IANA, Columns, End, Flow, Malformed, Observed, Record, Settled
from eksnetpol.policy.answers import Addresses, Engine
from eksnetpol.policy.connections import ICMP, ICMPV6, OTHER, WITH_PORTS
from eksnetpol.policy.flow_groups import FIRST, LAST, SIZE, Group, Groups, Tally
from eksnetpol.policy.flow_places import ANYWHERE, Kind, Place, Places, gone
from eksnetpol.policy.flow_verdicts import Judgement, Verdict, Verdicts

_REMEMBERED = 1 << 18
"""Pairs of addresses that are remembered; with more, all are forgotten and looked up again."""

_FIN_SYN_RST_ACK = 0b10111
_SYN, _SYN_ACK = 0b00010, 0b10010
_FORWARD, _BACKWARD = 1, 2
_WAYS = {
    str(flags): _FORWARD if flags & _SYN_ACK == _SYN else _BACKWARD
    for flags in range(_FIN_SYN_RST_ACK + 1)
    if flags & _SYN
}
"""By ``tcp-flags``: the source opened the connection, or answers. A record of a short connection has the flags of all its
packets; an ACK alone is not recorded (VPC user guide)."""

_PRIVILEGED = 1024
_EPHEMERAL = 32768
_HIGHEST = 65535
_REQUEST = {ICMP: 8 * 256, ICMPV6: 128 * 256}
_REPLY = {ICMP: 0, ICMPV6: 129}
_CASE = 256
_SHOWN = 60

_Hit = tuple[Tally, int, float]
"""Where a record counts: its tally, the place in it, and the time before which it is another's."""

_NOWHERE: _Hit = (Group(ANYWHERE, ANYWHERE, OTHER, 0, Judgement(Verdict.UNKNOWN), Observed.ACCEPTED).tally, SIZE, 0)

_AHEAD = attrgetter("source", "destination", "port", "protocol", "action", "flags")
_BACK = attrgetter("source", "destination", "source_port", "protocol", "action", "flags")
"""What makes two requests alike, and two replies: all but the client's port."""

STALE = "older than the pod that has the address now"

_UNCLEAR = Judgement(
    Verdict.UNKNOWN, reason="the log does not tell who opened it, and policies let it through one way only, or not at all"
)


class Ledger:
    """Takes flows, and tells what was taken. One for all files of a question."""

    def __init__(self, engine: Engine) -> None:
        self.places = Places(engine)
        self.verdicts = Verdicts(engine)
        self.groups = Groups()
        self._anywhere = ANYWHERE
        if engine.profile.family == "ipv6":
            self._anywhere = replace(ANYWHERE, party=Addresses("::/0", "outside"))
        self.aside = Counter[str]()
        """Records that say nothing of policies, by why."""
        self._forward: dict[tuple[str, ...], _Hit] = {}
        self._backward: dict[tuple[str, ...], _Hit] = {}
        self._columns = Columns(*range(11))
        self._ahead: Callable[[Record], tuple[str, ...]] = itemgetter(*_AHEAD(self._columns))
        self._back: Callable[[Record], tuple[str, ...]] = itemgetter(*_BACK(self._columns))

    # --- records of VPC Flow Logs -------------------------------------------------------------------------------------

    def records(
        self, records: Sequence[Record], columns: Columns, numbers: Sequence[int], bad: Callable[[Malformed], None]
    ) -> None:
        """Take records, with the number of the line of each; *bad* is told of those that make no sense."""
        if columns != self._columns:
            self._columns = columns
            self._ahead = itemgetter(*_AHEAD(columns))
            self._back = itemgetter(*_BACK(columns))
            self._forget()
        # What is done for every line is done by `map`, without a step of Python for each, wherever that can be.
        hits = list(map(self._forward.get, map(self._ahead, records)))
        found = [hit or self._hit(record, at, bad) for hit, record, at in zip(hits, records, numbers, strict=True)]
        sizes, starts, ends = (_whole(records, column, columns) for column in (columns.size, columns.start, columns.end))
        stale = 0
        for (tally, slot, born), size, start, end in zip(found, sizes, starts, ends, strict=True):
            if end < born and end:
                stale += 1
                continue
            tally[slot] += 1
            tally[SIZE] += size
            if end > tally[LAST]:  # noqa: PLR1730 - a call for each of millions
                tally[LAST] = end
            if start < tally[FIRST]:  # noqa: PLR1730 - as above
                tally[FIRST] = start
        self.aside[STALE] += stale

    def _hit(self, record: Record, number: int, bad: Callable[[Malformed], None]) -> _Hit:
        """Return where *record* counts that is not known as a request; `_NOWHERE` for what is no flow."""
        known = self._backward.get(self._back(record)) or self._forward.get(self._ahead(record))
        if known is not None:
            return known
        columns = self._columns
        try:
            for column in (columns.size, columns.start, columns.end):
                _number(record[column], record[columns.action])
            return self._looked_up(record, columns)
        except ValueError as error:
            bad(Malformed(number, _short(str(error))))
            return _NOWHERE

    def _looked_up(self, record: Record, columns: Columns) -> _Hit:
        """Return where *record* counts; raise `ValueError` where it makes no sense."""
        if "-" in {record[columns.source], record[columns.destination]}:
            self.aside["said to be skipped by the flow log" if record[columns.status] == "SKIPDATA" else "without data"] += 1
            return _NOWHERE
        source, destination = self.places.at(record[columns.source]), self.places.at(record[columns.destination])
        number = record[columns.protocol]
        protocol = IANA.get(number, OTHER)
        if protocol == OTHER and not number.isdigit():
            message = f"{number!r} is no protocol number"
            raise ValueError(message)
        observed = Observed.REFUSED if record[columns.action] == "REJECT" else Observed.ACCEPTED
        if protocol not in WITH_PORTS:
            return self._both_ways(source, destination, protocol, int(number), observed)
        ports = _port(record[columns.source_port]), _port(record[columns.port])
        way = _WAYS.get(record[columns.flags])
        backwards, how = (way == _BACKWARD, Settled.FLAGS) if way else settle(source, destination, protocol, *ports)
        if backwards:
            source, destination, ports = destination, source, (ports[1], ports[0])
        group = self._group(source, destination, protocol, ports[1], observed)
        hit = (group.tally, group.slot(how, is_reply=backwards), max(source.born, destination.born))
        if how is not Settled.GUESSED:
            if len(self._forward) + len(self._backward) >= _REMEMBERED:
                self._forget()
            if backwards:
                self._backward[self._back(record)] = hit
            else:
                self._forward[self._ahead(record)] = hit
        return hit

    def _forget(self) -> None:
        self._forward.clear()
        self._backward.clear()

    def _both_ways(self, source: Place, destination: Place, protocol: str, number: int, observed: Observed) -> _Hit:
        """Return where a record without ports counts: it may be what was sent or what came back."""
        asked = _REQUEST.get(protocol, number)
        there = self._judge(source, destination, protocol, asked)
        back = self._judge(destination, source, protocol, asked)
        judgement = there
        if there is not None and back is not None and Verdict.DENIED in {there.verdict, back.verdict}:
            judgement = _UNCLEAR
        one, other = sorted((source, destination), key=lambda p: (p.title, p.address))
        group = self.groups.of(one, other, protocol, asked, judgement, observed)
        return group.tally, group.slot(Settled.GUESSED, is_reply=False), max(source.born, destination.born)

    # --- flows of other logs ------------------------------------------------------------------------------------------

    def flow(self, flow: Flow) -> None:
        """Take a flow; raise `ValueError` where it makes no sense."""
        source, destination = self._place(flow.source), self._place(flow.destination)
        is_reply, how, number, source_port = flow.is_reply, Settled.TOLD, flow.number, flow.source_port
        if flow.protocol in _REQUEST:
            kind = None if number is None else number // _CASE
            if kind is not None and kind not in {_REQUEST[flow.protocol] // _CASE, _REPLY[flow.protocol]}:
                self.aside["ICMP that is neither a request nor a reply"] += 1
                return
            is_reply = is_reply or kind == _REPLY[flow.protocol]
            number = source_port = _REQUEST[flow.protocol]
        elif flow.protocol == OTHER:
            number = source_port = number or 0
        elif not flow.told and number is not None:
            is_reply, how = settle(source, destination, flow.protocol, source_port, number)
        if is_reply:
            source, destination, number = destination, source, source_port
        if flow.last and flow.last < max(source.born, destination.born):
            self.aside[STALE] += flow.times
            return
        group = self._group(source, destination, flow.protocol, number or 0, flow.observed, self._asked(flow))
        tally = group.tally
        tally[group.slot(how, is_reply=is_reply)] += flow.times
        tally[SIZE] += flow.size
        tally[LAST] = max(tally[LAST], int(flow.last))
        if flow.first:
            tally[FIRST] = min(tally[FIRST], int(flow.first))

    def _asked(self, flow: Flow) -> tuple[Place, int] | None:
        if flow.asked is None:
            return None
        place = self.places.at(flow.asked[0])
        return (place, flow.asked[1]) if place.kind is Kind.SERVICE else None

    def _place(self, end: End) -> Place:
        """Return who an end is: whom the log names, before who has the address now."""
        if end.name:
            named = self.places.named(end.namespace, end.name)
            if named is not None:
                return named
            there = self.places.at(end.address) if end.address else None
            # The name of a Service, or of something else that is no pod, stands with its address.
            return there if there is not None and there.kind is not Kind.POD else gone(end.namespace, end.name)
        return self.places.at(end.address) if end.address else self._anywhere

    # --- judging ------------------------------------------------------------------------------------------------------

    def _group(
        self,
        source: Place,
        destination: Place,
        protocol: str,
        number: int,
        observed: Observed,
        asked: tuple[Place, int] | None = None,
    ) -> Group:
        judgement = self._judge(source, destination, protocol, number, asked)
        return self.groups.of(source, destination, protocol, number, judgement, observed, asked)

    def _judge(
        self, source: Place, destination: Place, protocol: str, number: int, asked: tuple[Place, int] | None = None
    ) -> Judgement | None:
        """Return what policies say; None where no pod is involved, so that none of them is asked."""
        if source.kind not in {Kind.POD, Kind.GONE} and destination.kind not in {Kind.POD, Kind.GONE}:
            return None
        if source.kind is Kind.SERVICE:
            # Nothing is sent from there: a reply whose address was turned back.
            return None
        return self.verdicts.judge(source, destination, protocol, number, asked)


def settle(source: Place, destination: Place, protocol: str, source_port: int, port: int) -> tuple[bool, Settled]:
    """Say whether the *source* is the server, and how that was settled: by what the log has of ports."""
    serves_there = (protocol, port) in destination.ports
    serves_here = (protocol, source_port) in source.ports
    if serves_there is not serves_here:
        return serves_here, Settled.KNOWN_PORT
    for bound in (_PRIVILEGED, _EPHEMERAL):
        if (port < bound) is not (source_port < bound):
            return source_port < bound, Settled.LOW_PORT
    return source_port < port, Settled.GUESSED


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= _HIGHEST:
        message = f"{number} is no port"
        raise ValueError(message)
    return number


def _whole(records: Sequence[Record], column: int, columns: Columns) -> list[int]:
    """Return one column of numbers; 0 where there is none."""
    texts = list(map(itemgetter(column), records))
    try:
        return list(map(int, texts))
    except ValueError:
        return [_number(text, record[columns.action], 0) for text, record in zip(texts, records, strict=True)]


def _number(text: str, action: str, otherwise: int | None = None) -> int:
    """Return a number; 0 where the log has none and *action* or a dash stands in its place."""
    if text.isdecimal():
        return int(text)
    if text not in {"-", action} and otherwise is None:
        message = f"{text!r} is no number"
        raise ValueError(message)
    return otherwise or 0


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def take(ledger: Ledger, flows: Iterable[Flow]) -> Ledger:
    """Hand all *flows* to *ledger*, and return it."""
    for flow in flows:
        ledger.flow(flow)
    return ledger
