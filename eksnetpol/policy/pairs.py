"""Questions about two parties: resolved to pairs of ends, answered for each, and put together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice, product
from typing import Protocol

from eksnetpol.model.kubernetes import Pod, Service
from eksnetpol.policy import backends
from eksnetpol.policy.addresses import Network, parse_cidr
from eksnetpol.policy.answers import Addresses, Answer, Decider, Decision, Partition, Party, Pods, Say, ServiceAddress, Side
from eksnetpol.policy.atlas import Chart
from eksnetpol.policy.cidrs import LAST, CidrSet
from eksnetpol.policy.connections import EVERYTHING, NOTHING, WITH_PORTS, Connections
from eksnetpol.policy.ends import End, end_of
from eksnetpol.policy.ports import PortSet
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.sides import Bounds

_YES = (True, True)

_NODES = 256
"""Of a class that is on more nodes, so many are looked at one by one."""


class Judging(Protocol):
    """Answers for one direction of one pair, under some engine (`sides.Sides`, `stacks.sides.StackSides`)."""

    @property
    def chart(self) -> Chart:
        """The pods."""

    @property
    def is_agent(self) -> bool:
        """True where egress is judged before the address of a Service becomes a pod's."""

    def bounds(self, direction: Direction, subject: End, peer: End) -> Bounds:
        """Return what *subject*'s side surely lets through between it and *peer*, and what it may."""

    def between(self, source: End, destination: End) -> Bounds:
        """Return what both sides surely let through from *source* to *destination*, and what they may."""

    def lets_pass(self, source: End, destination: End, protocol: str) -> bool:
        """Say whether no rule is asked about *protocol* at either end."""

    def has_host_at(self, end: End) -> bool:
        """Say whether *end* is, or has the address of, a node."""

    def side(self, direction: Direction, subject: End, peer: End, protocol: str, port: int) -> Side:
        """Return the verdict of *subject*'s side on one protocol and port, with all that had a say."""

    def notes(self, *judged: tuple[Side, End, End]) -> tuple[str, ...]:
        """Return what the verdicts of sides, each with subject and peer, depend on."""


class Entering(Protocol):
    """Answers about the address of a Service, where that is judged itself (`to_services.ServiceEntries`)."""

    def bounds(self, end: End, service: Service) -> Bounds:
        """Return what the egress side of a pod surely lets through to the address, in ports of the Service, and what it may."""

    def partition(self, service: Service) -> Partition:
        """Return what the egress side of every class surely lets through to the address, in ports of the Service."""

    def side(self, end: End, service: Service, protocol: str, number: int) -> Side:
        """Return the verdict of a pod's egress side on one port of the Service, with all that had a say."""


@dataclass(frozen=True, slots=True)
class _Crowd:
    """Pods of one class."""

    index: int
    pods: tuple[Pod, ...]


@dataclass(frozen=True, slots=True)
class _Pair:
    """A source and a destination, and what both sides surely let through between them, and what they may."""

    source: End
    destination: End
    sure: Connections
    possible: Connections


class Pairs:
    """Answers for two parties under one engine; *entries* is None for engines that look behind the address of a Service."""

    def __init__(self, sides: Judging, entries: Entering | None, networks: Iterable[Network]) -> None:
        self.sides = sides
        self.chart = sides.chart
        self.entries = entries
        self.networks = tuple(networks)
        self.hosts = sides.chart.universe.on_host_network

    # --- ends ---------------------------------------------------------------------------------------------------------

    def end(self, pod: Pod, index: int) -> End:
        """Return a pod as one end."""
        return end_of(pod, index, self.chart.regions.version)

    def _crowds(self, party: Pods) -> Iterator[_Crowd]:
        if party.pods:
            for pod in party.pods:
                yield _Crowd(self.chart.atlas.class_of[pod.namespace, pod.name], (pod,))
        else:
            for member in self.chart.universe.members(party.classes):
                yield _Crowd(member.index, member.pods)

    def ends(self, party: Pods | Addresses) -> Iterator[End]:
        """Yield ends that stand for all of *party*: a pod of each class, an address of each region."""
        if isinstance(party, Addresses):
            yield from self._regions(party)
        else:
            yield from (self.end(crowd.pods[0], crowd.index) for crowd in self._crowds(party))

    def _meetings(self, source: Pods | Addresses, destination: Pods | Addresses) -> Iterator[tuple[End, End]]:
        """Yield pairs of ends of which some may get another answer than others."""
        if isinstance(source, Pods) and isinstance(destination, Pods):
            for one, other in product(self._crowds(source), tuple(self._crowds(destination))):
                for left, right in self._met(one, other):
                    yield self.end(left, one.index), self.end(right, other.index)
        elif isinstance(source, Pods) and isinstance(destination, Addresses):
            yield from self._to_addresses(source, self._regions(destination))
        elif isinstance(destination, Pods) and isinstance(source, Addresses):
            yield from ((address, pod) for pod, address in self._to_addresses(destination, self._regions(source)))
        elif isinstance(source, Addresses) and isinstance(destination, Addresses):
            yield from product(self._regions(source), tuple(self._regions(destination)))

    def _to_addresses(self, pods: Pods, addresses: Iterable[End]) -> Iterator[tuple[End, End]]:
        for address in addresses:
            for crowd in self._crowds(pods):
                yield from ((pod, address) for pod in self._before(crowd, address))

    def _met(self, one: _Crowd, other: _Crowd) -> Iterator[tuple[Pod, Pod]]:
        """Yield pairs of pods of two classes: one pair, or, where one class is on the host network, pairs on and off a node."""
        if not (self.hosts >> one.index & 1 or self.hosts >> other.index & 1):
            left = one.pods[0]
            right = next((p for p in other.pods if p is not left), None)
            if right is not None:
                yield left, right
            elif len(one.pods) > 1:
                yield one.pods[1], left
            return
        mine, theirs = _by_node(one.pods), _by_node(other.pods)
        for node, pod in islice(mine.items(), _NODES):
            near = theirs.get(node)
            if near is not None and near is not pod:
                yield pod, near
            far = next((p for n, p in theirs.items() if n != node), None)
            if far is not None:
                yield pod, far
        for node, pod in islice(theirs.items(), _NODES):
            far = next((p for n, p in mine.items() if n != node), None)
            if far is not None:
                yield far, pod

    def _before(self, crowd: _Crowd, address: End) -> Iterator[End]:
        """Yield pods of a class that stand for all where the other end is *address*: where it is a node, one of each node."""
        pods = _by_node(crowd.pods).values() if self.sides.has_host_at(address) else crowd.pods[:1]
        return (self.end(pod, crowd.index) for pod in pods)

    def _regions(self, party: Addresses) -> Iterator[End]:
        network = parse_cidr(party.cidr)
        if network is None:
            return
        first, last = int(network.network_address), int(network.broadcast_address)
        cuts = {first}
        holes = [n for n in map(parse_cidr, party.without) if n is not None]
        for other in (*self.networks, *holes):
            if other.version == network.version:
                cuts.update(c for c in (int(other.network_address), int(other.broadcast_address) + 1) if first <= c <= last)
        left = CidrSet.block(party.cidr, party.without)
        here = left.v4 if network.version == 4 else left.v6  # noqa: PLR2004 - the family
        for cut in sorted(cuts):
            if cut <= LAST[network.version] and cut in here:
                yield End(party.title, None, None, cut, network.version)

    def _pairs(self, source: Party, destination: Pods | Addresses) -> Iterator[_Pair]:
        if isinstance(source, ServiceAddress):
            message = "the address of a Service sends nothing; ask about its pods"
            raise TypeError(message)
        for one, other in self._meetings(source, destination):
            yield _Pair(one, other, *self.sides.between(one, other))

    # --- all connections ----------------------------------------------------------------------------------------------

    def connections(self, source: Party, destination: Party) -> Answer:
        """Return all that may flow from *source* to *destination*; to a `ServiceAddress` in ports of the Service."""
        if isinstance(destination, ServiceAddress):
            found = _together(self._through(source, destination.service))
            return Answer(found.every & found.some, found.some)
        return _together(Answer(p.sure, p.possible) for p in self._pairs(source, destination))

    def _through(self, source: Party, service: Service) -> Iterator[Answer]:
        """Yield what ends of *source* have with pods behind *service*, in ports of the Service."""
        for end, pod in self._before_and_behind(source, service):
            leaving, perhaps = self.leaving(end, service)
            every = some = NOTHING
            for port in service.spec.ports:
                here = Connections.only(port.protocol, PortSet.of(port.port)) if port.protocol in WITH_PORTS else NOTHING
                arrives = _YES if pod is None else self._arrives(end, pod, service, port.protocol, port.port)
                if arrives is None:
                    every = every | here
                else:
                    every = every | (here & leaving) if arrives[0] else every
                    some = some | (here & perhaps) if arrives[1] else some
            yield Answer(every, some)

    def _before_and_behind(self, source: Party, service: Service) -> Iterator[tuple[End, End | None]]:
        """Yield ends of *source*, each with a pod behind *service* (None where there is none) that may get another answer."""
        if isinstance(source, ServiceAddress):
            return
        behind = [_Crowd(c.index, c.pods) for c in self.chart.universe.members(backends.behind(service, self.chart))]
        if not behind:
            yield from ((end, None) for end in self.ends(source))
        elif isinstance(source, Addresses):
            yield from product(self.ends(source), [self.end(crowd.pods[0], crowd.index) for crowd in behind])
        else:
            for one, other in product(self._crowds(source), behind):
                for left, right in self._met(one, other):
                    yield self.end(left, one.index), self.end(right, other.index)
                if one.index == other.index:
                    # A pod behind the Service may meet itself there.
                    yield self.end(one.pods[0], one.index), self.end(one.pods[0], one.index)

    def _arrives(self, source: End, pod: End, service: Service, protocol: str, number: int) -> tuple[bool, bool] | None:
        """Say whether a pod behind *service* surely takes what comes to a port of it, and whether it may.

        None where that port does not lead to this pod.
        """
        port = backends.offered(service, protocol, number)
        there = None if port is None or pod.index is None else backends.target(port, pod.index, self.chart)
        if there is None:
            return None
        if _is_same(source, pod):
            return _YES
        is_judged_before = self.sides.is_agent and backends.has_address(service)
        sure, possible = (
            self.sides.bounds(Direction.INGRESS, pod, source) if is_judged_before else self.sides.between(source, pod)
        )
        return sure.allows(protocol, there), possible.allows(protocol, there)

    def leaving(self, end: End, service: Service) -> Bounds:
        """Return what the egress side of *end* surely lets through to a Service's address, and what it may, in its ports.

        Where a Service is no address of its own (a headless one, or to engines that look behind it), everything: what its pods
        are asked decides.
        """
        if self.entries is None or not self.sides.is_agent or not backends.has_address(service) or end.index is None:
            return EVERYTHING, EVERYTHING
        return self.entries.bounds(end, service)

    def all_leaving(self, service: Service) -> Partition:
        """Return what the egress side of every class surely lets through to a Service's address, as `leaving`."""
        if self.entries is None or not self.sides.is_agent or not backends.has_address(service):
            return ((EVERYTHING, self.chart.universe.everything),)
        return self.entries.partition(service)

    # --- one verdict --------------------------------------------------------------------------------------------------

    def decide(self, source: Party, destination: Party, protocol: str, port: int) -> Decision:
        """Return the verdict on one protocol and port, and who had a say."""
        if isinstance(destination, ServiceAddress):
            return self._decide_through(source, destination, protocol, port)
        refused = passing = None
        for pair in self._pairs(source, destination):
            free = self.sides.lets_pass(pair.source, pair.destination, protocol)
            if free or pair.sure.allows(protocol, port):
                passing = passing or pair
            else:
                refused = refused or pair
                passing = passing or (pair if pair.possible.allows(protocol, port) else None)
            if refused and passing:
                break
        shown = refused or passing
        if shown is None:
            return _itself(source, destination, protocol, port)
        egress = self.sides.side(Direction.EGRESS, shown.source, shown.destination, protocol, port)
        ingress = self.sides.side(Direction.INGRESS, shown.destination, shown.source, protocol, port)
        notes = self.sides.notes((egress, shown.source, shown.destination), (ingress, shown.destination, shown.source))
        return Decision(
            allowed=refused is None,
            partial=refused is not None and passing is not None,
            protocol=protocol,
            port=port,
            source=shown.source.title,
            destination=shown.destination.title,
            sides=(egress, ingress),
            notes=notes,
        )

    def _decide_through(self, source: Party, destination: ServiceAddress, protocol: str, number: int) -> Decision:
        service = destination.service
        offered = backends.offered(service, protocol, number)
        if offered is None:
            ports = ", ".join(f"{p.port}/{p.protocol}" for p in service.spec.ports) or "none"
            words = f"service/{service.namespace}/{service.name} has no port {number}/{protocol}; it has {ports}"
            side = Side(Direction.EGRESS, False, True, (Decider(Say.DENIES, Direction.EGRESS, words),))  # noqa: FBT003
            return Decision(False, False, protocol, number, source.title, destination.title, (side,))  # noqa: FBT003
        found: dict[bool, tuple[End, End | None]] = {}
        nowhere: tuple[End, End | None] | None = None
        notes: dict[str, None] = {}
        for end, pod in self._before_and_behind(source, service):
            arrives = _YES if pod is None else self._arrives(end, pod, service, protocol, number)
            if arrives is None:
                nowhere = nowhere or (end, pod)
                continue
            leaving, perhaps = (b.allows(protocol, number) for b in self.leaving(end, service))
            passes = leaving and arrives[0]
            found.setdefault(passes, (end, pod))
            if perhaps and arrives[1] and not passes:
                found.setdefault(True, (end, pod))
            if perhaps and not leaving:
                notes["pods behind the Service disagree on their ports: which the controller opens depends on chance"] = None
            if pod is None:
                notes[f"no pod is behind {destination.title}: only the way to its address was judged"] = None
        if not found and nowhere is None:
            return _itself(source, destination, protocol, number)
        if nowhere is not None:
            found = found or {False: nowhere}
        end, pod = found.get(False) or found[True]
        return Decision(
            allowed=False not in found,
            partial=len(found) > 1,
            protocol=protocol,
            port=number,
            source=end.title,
            destination=destination.title if pod is None else f"{destination.title} ({pod.title})",
            sides=tuple(self._sides_through(end, pod, destination, protocol, number)),
            notes=tuple(notes),
        )

    def _sides_through(
        self, end: End, pod: End | None, destination: ServiceAddress, protocol: str, number: int
    ) -> Iterator[Side]:
        service = destination.service
        port = backends.offered(service, protocol, number)
        there = None if port is None or pod is None or pod.index is None else backends.target(port, pod.index, self.chart)
        if self.entries is not None and self.sides.is_agent and backends.has_address(service):
            yield self.entries.side(end, service, protocol, number)
        elif pod is not None and there is not None:
            yield self.sides.side(Direction.EGRESS, end, pod, protocol, there)
        if pod is None:
            return
        if there is None:
            words = f"{pod.title} has no port of the name {port.target_port if port else number}"
            yield Side(Direction.INGRESS, False, True, (Decider(Say.DENIES, Direction.INGRESS, words),))  # noqa: FBT003
        else:
            yield self.sides.side(Direction.INGRESS, pod, end, protocol, there)


def _by_node(pods: Iterable[Pod]) -> dict[str, Pod]:
    found: dict[str, Pod] = {}
    for pod in pods:
        found.setdefault(pod.status.host_ip, pod)
    return found


def _is_same(one: End, other: End) -> bool:
    return one.pod is not None and one.pod is other.pod


def _itself(source: Party, destination: Party, protocol: str, port: int) -> Decision:
    words = "a pod always reaches itself" if source.title == destination.title else "there is no pod or address to ask about"
    return Decision(
        allowed=source.title == destination.title,
        partial=False,
        protocol=protocol,
        port=port,
        source=source.title,
        destination=destination.title,
        sides=(),
        notes=(words,),
    )


def _together(answers: Iterable[Answer]) -> Answer:
    every: Connections | None = None
    some = NOTHING
    for answer in answers:
        every = answer.every if every is None else every & answer.every
        some = some | answer.some
    return Answer(EVERYTHING if every is None else every, EVERYTHING if every is None else some)
