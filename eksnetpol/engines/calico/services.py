"""The endpoints of a Service, as rules of Calico mean them: addresses and ports of its EndpointSlices.

Where the slices were not read, the pods that the Service selects stand for them: its controller writes exactly these, ready or
not. A Service that selects nothing has endpoints that somebody else writes, and nobody knows them without the slices.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from eksnetpol.engines.kubernetes_policies import all_of, in_namespace
from eksnetpol.model.kubernetes import EndpointSlice, Service, ServicePort
from eksnetpol.model.selectors import LabelSelector
from eksnetpol.policy.addresses import Network, parse_cidr
from eksnetpol.policy.connections import EVERYTHING, NOTHING, WITH_PORTS, Connections
from eksnetpol.policy.ports import PortSet
from eksnetpol.policy.stacks.formulas import NOBODY, Formula, Unknowable, Within
from eksnetpol.policy.stacks.rules import PortName
from eksnetpol.policy.world import World

Offered = tuple[Formula, Connections, tuple[PortName, ...]]
"""Endpoints, with the ports that they offer by number and by name."""


@dataclass(frozen=True)
class Services:
    """Finds the endpoints of Services, in EndpointSlices before anything else."""

    world: World

    def offered(self, namespace: str, name: str) -> list[Offered]:
        """Return the endpoints of a Service with the ports that a destination has to fit."""
        slices = self.world.slices_by_service.get((namespace, name))
        if slices is not None:
            alike: dict[Connections, frozenset[Network]] = {}
            for one in slices:
                ports = _ports(one)
                alike[ports] = alike.get(ports, frozenset()) | _addresses(one)
            known: list[Offered] = [(Within(addresses), ports, ()) for ports, addresses in alike.items() if addresses]
            return known or [(NOBODY, EVERYTHING, ())]
        service = self.world.service_by_name.get((namespace, name))
        if service is None or not service.spec.selector:
            return [(self._unknown(namespace, name, service), EVERYTHING, ())]
        return list(self._selected(service))

    def addresses(self, namespace: str, name: str) -> list[Formula]:
        """Return the endpoints of a Service, whatever their ports: as source a rule means them so."""
        return list(dict.fromkeys(whom for whom, _, _ in self.offered(namespace, name)))

    def looked_up(self, namespace: str, name: str) -> str:
        """Return in words what `offered` looked up in the cluster: it may be otherwise tomorrow."""
        if (namespace, name) in self.world.slices_by_service:
            return f"the addresses and ports behind the Service {namespace}/{name} are written as they are today"
        return f"what the Service {namespace}/{name} selects, and its ports, are written as they are today"

    def _unknown(self, namespace: str, name: str, service: Service | None) -> Formula:
        if service is not None and service.spec.type == "ExternalName":
            return NOBODY
        why = "was not read" if service is None else "selects no pods, and its EndpointSlices were not read"
        return Unknowable(f"the endpoints of the Service {namespace}/{name}, which {why}")

    def _selected(self, service: Service) -> Iterator[Offered]:
        selector = LabelSelector(match_labels=service.spec.selector)
        numbers, names = NOTHING, []
        for port in service.spec.ports:
            if port.protocol not in WITH_PORTS:
                continue
            if isinstance(port.target_port, str):
                names.append(PortName(port.target_port, port.protocol))
            else:
                numbers = numbers | Connections.only(port.protocol, PortSet.of(port.target_port or port.port))
        yield in_namespace(service.namespace, selector), numbers, tuple(dict.fromkeys(names))
        yield from self._on_hosts(service, selector)

    def _on_hosts(self, service: Service, selector: LabelSelector) -> Iterator[Offered]:
        """Yield the nodes whose addresses are those of the Service's pods on the host network."""
        for pod in self.world.pods:
            if pod.spec.host_network and pod.namespace == service.namespace and selector.matches(pod.labels):
                network = parse_cidr(pod.status.pod_ip or pod.status.host_ip or "-")
                if network is None or pod.is_terminal:
                    continue
                numbers = NOTHING
                for port in service.spec.ports:
                    number = _target(port, [(p.protocol, p.name, p.container_port) for c in pod.containers for p in c.ports])
                    if number and port.protocol in WITH_PORTS:
                        numbers = numbers | Connections.only(port.protocol, PortSet.of(number))
                yield Within(frozenset({network})), numbers, ()


def _target(port: ServicePort, declared: Iterable[tuple[str, str, int]]) -> int:
    if not isinstance(port.target_port, str):
        return port.target_port or port.port
    return next((n for protocol, name, n in declared if (protocol, name) == (port.protocol, port.target_port)), 0)


def _addresses(one: EndpointSlice) -> frozenset[Network]:
    found = (parse_cidr(text) for endpoint in one.endpoints for text in endpoint.addresses)
    return frozenset(network for network in found if network is not None)


def _ports(one: EndpointSlice) -> Connections:
    answer = NOTHING
    for port in one.ports:
        if port.port and port.protocol in WITH_PORTS:
            answer = answer | Connections.only(port.protocol, PortSet.of(port.port))
    return answer


def met(offered: Offered, whom: Formula, connections: Connections) -> Offered:
    """Return what is left of endpoints and their ports beside what else a rule says of them."""
    own, numbers, names = offered
    return all_of([whom, own]), numbers & connections, tuple(n for n in names if connections[n.protocol])
