"""Lays the engine beside an oracle: every question it can be asked, packet by packet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from eksnetpol.policy.answers import Addresses, Answer, Engine, Matrix, Pods, ServiceAddress
from eksnetpol.policy.connections import ICMPV6
from eksnetpol.policy.engine import build_engine
from eksnetpol.policy.profile import Profile, Semantics
from eksnetpol.policy.rules import Direction
from tests.policy.oracle.kubernetes import Kubernetes
from tests.policy.oracle.plain import Packet, Place
from tests.policy.oracle.smallest import smallest
from tests.policy.oracle.strategies import Case
from tests.policy.oracle.vpc_cni import VpcCni

Verdict = bool | None


@dataclass
class Tally:
    """How much was compared, and what did not agree."""

    verdicts: int = 0
    disagreements: list[str] = field(default_factory=list)

    def meet(self, question: str, mine: object, theirs: object) -> None:
        """Count one comparison of the engine's answer (*mine*) with the oracle's."""
        self.verdicts += 1
        if mine != theirs:
            self.disagreements.append(f"{question}: the engine says {mine}, the oracle {theirs}")


def compare(case: Case, profile: Profile) -> Tally:
    """Ask engine and oracle everything about *case* under *profile*."""
    engine = build_engine(case.world, profile)
    is_agent = profile.semantics is Semantics.VPC_CNI
    oracle = VpcCni(case.world, profile) if is_agent else Kubernetes(case.world, profile.family)
    tally = Tally()
    comparison = _Comparison(case, engine, oracle, tally)
    for part in (comparison.pairs, comparison.matrix, comparison.outside, comparison.addresses, comparison.services):
        part()
    return tally


class _Comparison:
    def __init__(self, case: Case, engine: Engine, oracle: Kubernetes | VpcCni, tally: Tally) -> None:
        self.case = case
        self.engine = engine
        self.oracle = oracle
        self.tally = tally
        self.places = oracle.cluster.pods()
        self.is_agent = isinstance(oracle, VpcCni)
        self._known: dict[tuple[str, str, Packet], Verdict] = {}

    def flows(self, source: Place, destination: Place, packet: Packet) -> Verdict:
        key = (str(source), str(destination), packet)
        if key not in self._known:
            self._known[key] = self.oracle.flows(source, destination, packet)
        return self._known[key]

    def party(self, place: Place) -> Pods | Addresses:
        if place.pod is None:
            return Addresses(place.address, place.address)
        index = self.engine.atlas.class_of[place.pod.namespace, place.pod.name]
        return Pods(1 << index, str(place), (place.pod,))

    def counted(self) -> Iterator[Packet]:
        """Yield the packets that sets of connections speak of: not ICMPv6 under the agent, which passes always."""
        return (p for p in self.case.packets if not (self.is_agent and p.protocol == ICMPV6))

    def pairs(self) -> None:
        """One pod to another: `decide` and `connections`."""
        for source in self.places:
            for destination in self.places:
                if source is not destination:
                    self._pair(source, destination)

    def addresses(self) -> None:
        """Pods and addresses that are no pods': `decide` and `connections`, nodes among them."""
        for address in self.case.addresses:
            if any(place.address == address for place in self.places):
                continue
            for place in self.places:
                self._pair(place, Place(address))
                self._pair(Place(address), place)

    def _pair(self, source: Place, destination: Place) -> None:
        here, there = self.party(source), self.party(destination)
        answer = self.engine.connections(here, there)
        for packet in self.counted():
            question = f"connections {source} -> {destination} {packet.protocol} {packet.number}"
            self.tally.meet(question, _bounds(answer, packet), _wanted([self.flows(source, destination, packet)]))
        # `decide` names all that had a say, which takes long: each pair is asked about one packet, each about another.
        packet = self.case.packets[self.tally.verdicts % len(self.case.packets)]
        decision = self.engine.decide(here, there, *packet)
        said = None if decision.partial else decision.allowed
        question = f"decide {source} -> {destination} {packet.protocol} {packet.number}"
        self.tally.meet(question, said, self.flows(source, destination, packet))

    def matrix(self) -> None:
        """All pairs of classes at once."""
        matrix: Matrix = self.engine.matrix()
        members: dict[int, list[Place]] = {}
        for place in self.places:
            if place.pod is not None:
                index = self.engine.atlas.class_of[place.pod.namespace, place.pod.name]
                members.setdefault(index, []).append(place)
        for one, sources in members.items():
            for other, destinations in members.items():
                met = [(s, d) for s in sources for d in destinations if s is not d]
                if not met:
                    continue
                answer = matrix.between(1 << one, 1 << other)
                for packet in self.counted():
                    verdicts = [self.flows(s, d, packet) for s, d in met]
                    if None in verdicts:
                        continue
                    titles = f"{sources[0]}.. -> {destinations[0]}.. {packet.protocol} {packet.number}"
                    self.tally.meet(f"matrix {titles}", _bounds(answer, packet), _wanted(verdicts))

    def outside(self) -> None:
        """One address that is no pod's, and all classes at once."""
        for address in set(self.case.addresses) - set(self.case.family.nodes):
            for direction in Direction:
                partition = self.engine.outside(direction, address)
                for place in self.places:
                    if place.pod is None:
                        continue
                    index = self.engine.atlas.class_of[place.pod.namespace, place.pod.name]
                    found = [c for c, classes in partition if classes >> index & 1]
                    there = Place(address)
                    ends = (there, place) if direction is Direction.INGRESS else (place, there)
                    for packet in self.counted():
                        verdict = self.flows(*ends, packet)
                        if verdict is not None:
                            mine = bool(found) and found[0].allows(*packet)
                            self.tally.meet(f"outside {ends[0]} -> {ends[1]} {packet.protocol} {packet.number}", mine, verdict)

    def services(self) -> None:
        """Pods to the address of a Service: every pod behind that port."""
        for service in self.case.world.services:
            party = ServiceAddress(service, service.name)
            for source in self.places:
                here = self.party(source)
                answer = self.engine.connections(here, party)
                for port in service.spec.ports:
                    packet = Packet(port.protocol, port.port)
                    verdicts = self.oracle.through(source, service, packet)
                    if not verdicts:
                        continue
                    question = f"{source} -> svc:{service.namespace}/{service.name} {packet.protocol} {packet.number}"
                    self.tally.meet(f"connections {question}", _bounds(answer, packet), _wanted(list(verdicts)))
                    decision = self.engine.decide(here, party, *packet)
                    self.tally.meet(f"decide {question}", (decision.allowed, decision.partial), _decided(list(verdicts)))


def _bounds(answer: Answer, packet: Packet) -> tuple[bool, bool]:
    return answer.every.allows(*packet), answer.some.allows(*packet)


def _wanted(verdicts: list[Verdict]) -> tuple[bool, bool]:
    return all(v is True for v in verdicts), any(v is not False for v in verdicts)


def _decided(verdicts: list[Verdict]) -> tuple[bool, bool]:
    every, some = _wanted(verdicts)
    return every, some and not every


def shown(case: Case, profile: Profile, sentence: str) -> str:
    """Return the smallest part of *case* on which engine and oracle still do not agree as in *sentence*."""
    sort = sort_of(sentence)
    least = smallest(case, lambda c: any(sort_of(d) == sort for d in compare(c, profile).disagreements))
    sentences = [d for d in compare(least, profile).disagreements if sort_of(d) == sort]
    kinds = ((kind, objects) for kind, objects in least.objects.items() if kind != "nodes")
    lines = [f"{kind}: {msgspec.json.encode(one).decode()}" for kind, objects in kinds for one in objects]
    title = f"cluster {case.number} under {profile.semantics}, {profile.mode}, agent {profile.agent}, {profile.family}"
    return "\n".join((title, *sentences[:3], *lines))


def sort_of(sentence: str) -> str:
    """Return what was asked and what was answered, without between whom."""
    return f"{sentence.partition(' ')[0]}{' svc' if 'svc:' in sentence else ''}{sentence.partition(': the')[2]}"
