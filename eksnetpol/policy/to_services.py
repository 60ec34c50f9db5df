"""What egress rules let through to the address of a Service, as the agent sees it: before it is turned into a pod's.

The controller writes the ClusterIP of each Service that a peer's selectors mean beside the pods (`prediction.services`); a block
opens the address only where it holds it (aws/amazon-network-policy-controller-k8s, pkg/resolvers/endpoints.go).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property, lru_cache

from eksnetpol.model.cluster_rules import ClusterEgressRule
from eksnetpol.model.kubernetes import Service
from eksnetpol.model.policies import PolicyPeer, PolicyPort
from eksnetpol.model.versions import Release
from eksnetpol.policy.addresses import parse_cidr
from eksnetpol.policy.answers import Decider, Partition, Say, Side
from eksnetpol.policy.backends import with_address
from eksnetpol.policy.connections import EVERYTHING, NOTHING, WITH_PORTS, Connections
from eksnetpol.policy.ends import End
from eksnetpol.policy.grants import Grant
from eksnetpol.policy.ports import EVERY_PORT, PortSet
from eksnetpol.policy.prediction.cluster import peer_of, ports_of
from eksnetpol.policy.prediction.ports import PortList
from eksnetpol.policy.prediction.releases import Behaviour
from eksnetpol.policy.prediction.services import Services
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.sides import Bounds, Sides, Standing
from eksnetpol.policy.tiers import Beside, Ordered
from eksnetpol.policy.universe import Classes, Universe, indexes_of, key_of
from eksnetpol.policy.world import World


class ServiceEntries:
    """Answers about one Service's address. *pods* are all pods of the cluster, finished ones too: the controller asks them."""

    def __init__(self, sides: Sides, world: World, pods: Universe, controller: Release) -> None:
        self.sides = sides
        self._places = {(s.namespace, s.name): i for i, s in enumerate(with_address(world.services))}
        self._services = Services(with_address(world.services), world.namespaces, pods, Behaviour.of(controller))
        self._known: dict[tuple[int, int], Bounds] = {}

    def opened(self, grant: Grant, service: Service) -> Bounds:
        """Return what one egress rule surely opens of a Service's ports by its selectors, and what it may.

        Where pods behind the Service disagree on what leads where, the controller's answer depends on which it meets first.
        """
        at = self._places.get((service.namespace, service.name))
        if at is None:
            return NOTHING, NOTHING
        known = self._known.get((id(grant), at))
        if known is None:
            known = self._known[id(grant), at] = self._work_out(grant, at)
        return known

    def _work_out(self, grant: Grant, at: int) -> Bounds:
        policy = self.sides.grants.policies[grant.at].policy
        rule = policy.spec.egress[grant.number]
        return self._entry(at, policy.namespace, rule.peers, rule.ports)

    def _entry(self, at: int, namespace: str, peers: Iterable[PolicyPeer], ports: tuple[PolicyPort, ...]) -> Bounds:
        sure = possible = NOTHING
        for peer in peers:
            if peer.pod_selector is None and peer.namespace_selector is None:
                continue
            if self._services.meant_by(peer, namespace) >> at & 1:
                always, perhaps = self._offered(at, ports)
                sure, possible = sure | always, possible | perhaps
        return sure, possible

    def _offered(self, at: int, ports: tuple[PolicyPort, ...]) -> Bounds:
        """Return what an entry for the Service surely opens of its ports, and what it may, where a rule has these *ports*."""
        # Without ports an entry has none either, and all of the Service's are open.
        answers = [_connections(a) for a in self._services.answers(at, ports)] if ports else [EVERYTHING]
        sure, possible = answers[0], NOTHING
        for answer in answers:
            sure, possible = sure & answer, possible | answer
        return sure, possible

    def _of_tier(self, service: Service) -> Beside:
        """Return what says of a cluster-wide rule which ports of *service* it speaks of."""
        at = self._places.get((service.namespace, service.name))

        def spoken(rule: Ordered) -> Connections:
            if at is None or not isinstance(rule.written, ClusterEgressRule):
                return NOTHING
            known = self._known.get((id(rule.written), at))
            if known is None:
                peers = [found for p in rule.written.peers if (found := peer_of(p)) is not None]
                known = self._known[id(rule.written), at] = self._entry(at, "", peers, ports_of(rule.written.ports))
            return known[0]

        return spoken

    @cached_property
    def _meaning(self) -> Mapping[int, Mapping[tuple[PolicyPort, ...], Classes]]:
        """For whom egress rules hold whose selectors mean each Service, by its place and their ports: all that they differ in."""
        alike: dict[tuple[bytes, tuple[PolicyPort, ...]], tuple[Classes, Classes]] = {}
        for grant in self.sides.grants.rules:
            if grant.direction is not Direction.EGRESS or not grant.with_selectors:
                continue
            policy = self.sides.grants.policies[grant.at].policy
            rule = policy.spec.egress[grant.number]
            meant = 0
            for peer in rule.peers:
                if peer.pod_selector is not None or peer.namespace_selector is not None:
                    meant |= self._services.meant_by(peer, policy.namespace)
            key = (key_of(meant), rule.ports)
            alike[key] = (meant, alike.get(key, (0, 0))[1] | grant.subjects)
        found: dict[int, dict[tuple[PolicyPort, ...], Classes]] = {}
        for (_, ports), (meant, subjects) in alike.items():
            for at in indexes_of(meant):
                own = found.setdefault(at, {})
                own[ports] = own.get(ports, 0) | subjects
        return found

    def partition(self, service: Service) -> Partition:
        """Return what the egress side of every class surely lets through to the address, in ports of the Service."""
        hosts: dict[Connections, Classes] = {}
        at = self._places.get((service.namespace, service.name), -1)
        for ports, subjects in self._meaning.get(at, {}).items():
            opened = self._offered(at, ports)[0]
            if opened:
                hosts[opened] = hosts.get(opened, 0) | subjects
        address = self._address(service)
        beside = self._of_tier(service)
        return self.sides.columns.outside(Direction.EGRESS, address.address, address.version, hosts, beside)

    def bounds(self, end: End, service: Service) -> Bounds:
        """Return what the egress side of a pod surely lets through to the address, in ports of the Service, and what it may."""
        index = end.index
        if index is None or self.sides.is_unpoliced(index):
            return EVERYTHING, EVERYTHING
        standing = self._standing(index, service)
        address = self._address(service)
        sure, possible = (self.sides.bounds(Direction.EGRESS, end, address, standing[k])[k] for k in (0, 1))
        return sure, possible

    def _standing(self, index: int, service: Service) -> tuple[Standing, Standing]:
        sure = possible = NOTHING
        for grant in self._rules(index):
            always, perhaps = self.opened(grant, service)
            sure, possible = sure | always, possible | perhaps
        ask = self._of_tier(service)
        return Standing(sure or None, ask), Standing(possible or None, ask)

    def side(self, end: End, service: Service, protocol: str, number: int) -> Side:
        """Return the verdict of a pod's egress side on one port of the Service, with all that had a say."""
        address = self._address(service)
        if end.index is None:
            return self.sides.side(Direction.EGRESS, end, address, protocol, number)
        standing = self._standing(end.index, service)[0]
        side = self.sides.side(Direction.EGRESS, end, address, protocol, number, standing)
        settled = any(d.say is Say.ALLOWS for d in side.deciders)
        if not side.allowed or settled:
            return side
        for grant in self._rules(end.index):
            if self.opened(grant, service)[0].allows(protocol, number):
                own = self.sides.grants.policies[grant.at].subject
                place = f"egress[{grant.number}]"
                words = f"{own} {place} opens the ClusterIP {service.spec.cluster_ip} of {_title(service)}"
                said = Decider(Say.ALLOWS, Direction.EGRESS, words, own, place)
                others = tuple(d for d in side.deciders if d.subject != own)
                return Side(Direction.EGRESS, allowed=True, isolated=True, deciders=(*others, said))
        return side

    def _rules(self, index: int) -> Iterator[Grant]:
        return (g for g in self.sides.grants.of_class(index) if g.direction is Direction.EGRESS)

    def _address(self, service: Service) -> End:
        network = parse_cidr(service.spec.cluster_ip) if service.spec.cluster_ip else None
        if network is None:
            return End(f"the ClusterIP of {_title(service)}", version=self.sides.chart.regions.version)
        return End(f"{_title(service)} ({service.spec.cluster_ip})", None, None, int(network.network_address), network.version)


def _title(service: Service) -> str:
    return f"service/{service.namespace}/{service.name}"


@lru_cache(maxsize=1 << 12)
def _connections(ports: PortList | None) -> Connections:
    if ports is None:
        return NOTHING
    if not ports:
        return EVERYTHING
    answer = NOTHING
    for protocol, low, high in ports:
        if protocol in WITH_PORTS:
            numbers = EVERY_PORT if low is None else PortSet([(low, max(low, high or low))])
            answer = answer | Connections.only(protocol, numbers)
    return answer
