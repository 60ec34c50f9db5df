"""What egress rules let through to the address of a Service, as the agent sees it: before it is turned into a pod's.

The controller writes the ClusterIP of each Service that a peer's selectors mean beside the pods (`service_entries`); a block
opens the address only where it holds it (aws/amazon-network-policy-controller-k8s, pkg/resolvers/endpoints.go).
"""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.model.kubernetes import Service
from eksnetpol.policy.addresses import parse_cidr
from eksnetpol.policy.answers import Decider, Say, Side
from eksnetpol.policy.connections import EVERYTHING, NOTHING, Connections
from eksnetpol.policy.declared import DeclaredPorts
from eksnetpol.policy.grants import Grant, Grants
from eksnetpol.policy.ports import EVERY_PORT, PortSet
from eksnetpol.policy.rules import EVERYTHING as ALL_PORTS
from eksnetpol.policy.rules import Direction, Entry, Rule
from eksnetpol.policy.service_entries import opened_services
from eksnetpol.policy.sides import End, Sides
from eksnetpol.policy.universe import Universe


class ServiceEntries:
    """Answers about one Service's address."""

    def __init__(self, sides: Sides, names: DeclaredPorts) -> None:
        self.sides = sides
        self.names = names
        self.universe: Universe = sides.chart.universe
        self._known: dict[tuple[int, str, str], Connections] = {}

    def opened(self, grant: Grant, service: Service) -> Connections:
        """Return what one egress rule opens of a Service's ports by its selectors."""
        key = (id(grant), service.namespace, service.name)
        known = self._known.get(key)
        if known is None:
            known = NOTHING
            for _, entries in opened_services(_rule(grant, self.sides.grants), (service,), self.universe, self.names):
                for entry in entries:
                    known = known | _of(entry)
            self._known[key] = known
        return known

    def egress(self, end: End, service: Service) -> Connections:
        """Return what the egress side of a pod lets through to the address, in ports of the Service."""
        index = end.index
        address = self._address(service)
        if index is None or self.sides.is_unpoliced(index):
            return EVERYTHING
        if not self.sides.columns.ruled(Direction.EGRESS) >> index & 1:
            return self.sides.connections(Direction.EGRESS, end, address)
        hosts, meant = NOTHING, False
        for grant in self._rules(index):
            opened = self.opened(grant, service)
            if opened:
                hosts, meant = hosts | opened, True
        return self.sides.connections(Direction.EGRESS, end, address, hosts if meant else None)

    def side(self, end: End, service: Service, protocol: str, number: int) -> Side:
        """Return the verdict of a pod's egress side on one port of the Service, with all that had a say."""
        address = self._address(service)
        if self.egress(end, service).allows(protocol, number) and end.index is not None:
            for grant in self._rules(end.index):
                if self.opened(grant, service).allows(protocol, number):
                    own = self.sides.grants.policies[grant.at].subject
                    place = f"egress[{grant.number}]"
                    words = f"{own} {place} opens the ClusterIP {service.spec.cluster_ip} of {_title(service)}"
                    said = Decider(Say.ALLOWS, Direction.EGRESS, words, own, place)
                    return Side(Direction.EGRESS, allowed=True, isolated=True, deciders=(said,))
        return self.sides.side(Direction.EGRESS, end, address, protocol, number)

    def _rules(self, index: int) -> Iterator[Grant]:
        return (g for g in self.sides.grants.of_class(index) if g.direction is Direction.EGRESS)

    def _address(self, service: Service) -> End:
        network = parse_cidr(service.spec.cluster_ip) if service.spec.cluster_ip else None
        if network is None:
            return End(f"the ClusterIP of {_title(service)}", version=self.sides.chart.regions.version)
        return End(f"{_title(service)} ({service.spec.cluster_ip})", None, None, int(network.network_address), network.version)


def _title(service: Service) -> str:
    return f"service/{service.namespace}/{service.name}"


def _rule(grant: Grant, grants: Grants) -> Rule:
    policy, kind, *_ = grants.policies[grant.at]
    rule = policy.spec.egress[grant.number]
    return Rule(grant.at, policy, kind, Direction.EGRESS, grant.number, rule.peers, rule.ports)


def _of(entry: Entry) -> Connections:
    if entry == ALL_PORTS:
        return EVERYTHING
    protocol, low, high = entry
    return Connections.only(protocol, PortSet([(low, max(low, high))]) if low else EVERY_PORT)
