"""Addresses of Services that egress rules need: the agent sees a packet before a Service's address is turned into a pod's.

The controller opens the ClusterIPs of Services whose own selector fits a peer's labels. Where the source let all of a Service's
pods through and no peer opens its ClusterIP, that is written as a block, with the ports of the Service that lead there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import msgspec

from eksnetpol.model.kubernetes import Pod, Service, ServicePort
from eksnetpol.model.policies import PolicyPeer
from eksnetpol.policy.addresses import covers, parse_cidr
from eksnetpol.policy.connections import WITH_PORTS
from eksnetpol.policy.stacks.ends import End, end_at, end_of_pod, holds
from eksnetpol.policy.stacks.formulas import Formula
from eksnetpol.translation.boxes import Box
from eksnetpol.translation.ground import Inventory
from eksnetpol.translation.regions import Ledger, namespaces_of

Json = dict[str, Any]


class Behind(NamedTuple):
    """One kind of pod, or an address, behind a Service: as an end, and what each port of the Service leads to there."""

    end: End
    numbers: tuple[int | None, ...]
    names: tuple[frozenset[str], ...]


@dataclass
class Services:
    """The Services of a cluster."""

    inventory: Inventory
    version: int

    @cached_property
    def _all(self) -> tuple[tuple[Service, tuple[Behind, ...]], ...]:
        found = []
        for service in self.inventory.world.services:
            address = parse_cidr(service.spec.cluster_ip) if service.spec.cluster_ip not in {"", "None"} else None
            if address is None or address.version != self.version:
                continue
            behind = tuple(self._behind(service) if service.spec.selector else self._behind_slices(service))
            if behind:
                found.append((service, behind))
        return tuple(found)

    def _near(self, peer: Formula) -> Iterable[tuple[Service, tuple[Behind, ...]]]:
        """Return the Services whose pods *peer* may mean, as far as namespaces tell that it names as the only ones."""
        named = namespaces_of(peer)
        if named is None:
            return self._all
        return (one for name in ("", *sorted(named)) for one in self._by_namespace.get(name, ()))

    @cached_property
    def _by_namespace(self) -> dict[str, list[tuple[Service, tuple[Behind, ...]]]]:
        """The Services by namespace; under an empty one those whose endpoints may be anywhere."""
        found: defaultdict[str, list[tuple[Service, tuple[Behind, ...]]]] = defaultdict(list)
        for one in self._all:
            found[one[0].namespace if one[0].spec.selector else ""].append(one)
        return dict(found)

    def _behind(self, service: Service) -> Iterator[Behind]:
        wanted = service.spec.selector.items()
        for pod in self._pods.get(service.namespace, ()):
            if not wanted <= pod.labels.items():
                continue
            declared = [(p.protocol, p.name, p.container_port) for c in pod.containers for p in c.ports]
            numbers = tuple(_number(port, declared) for port in service.spec.ports)
            names = tuple(
                frozenset(name for protocol, name, n in declared if name and (protocol, n) == (port.protocol, number))
                for port, number in zip(service.spec.ports, numbers, strict=True)
            )
            yield Behind(end_of_pod(self.inventory.world, pod), numbers, names)

    def _behind_slices(self, service: Service) -> Iterator[Behind]:
        """Yield what is behind a Service that selects nothing, as far as its EndpointSlices were read."""
        nameless = tuple(frozenset[str]() for _ in service.spec.ports)
        for one in self.inventory.world.slices_by_service.get((service.namespace, service.name), ()):
            offered = {(port.name, port.protocol): port.port for port in one.ports}
            numbers = tuple(offered.get((port.name, port.protocol)) for port in service.spec.ports)
            for address in (address for endpoint in one.endpoints for address in endpoint.addresses):
                network = parse_cidr(address)
                if network is not None and network.version == self.version:
                    yield Behind(self._end(address), numbers, nameless)

    def _end(self, address: str) -> End:
        pod = self._pods_by_address.get(address)
        world = self.inventory.world
        return end_at(world, address) if pod is None else end_of_pod(world, pod)

    @cached_property
    def _pods_by_address(self) -> Mapping[str, Pod]:
        return {pod.status.pod_ip: pod for pods in self._pods.values() for pod in pods if not pod.spec.host_network}

    @cached_property
    def _pods(self) -> dict[str, list[Pod]]:
        found: defaultdict[str, list[Pod]] = defaultdict(list)
        for pod in self.inventory.world.pods:
            if not pod.is_terminal:
                found[pod.namespace].append(pod)
        return dict(found)

    def rules(self, box: Box, peers: list[Json], rule: Json, namespace: str, ledger: Ledger) -> list[Json]:
        """Return the rules that open the ClusterIPs that *rule* leaves closed; no *peers*: everybody is meant."""
        if not peers and "ports" not in rule:
            return []
        by_ports: defaultdict[tuple[tuple[str, int], ...], list[str]] = defaultdict(list)
        decoded = [msgspec.convert(peer, PolicyPeer) for peer in peers]
        for service, behind in self._near(box.peer):
            needed = [port for at, port in enumerate(service.spec.ports) if self._lets_through(box, at, port, behind)]
            if not needed or not all(holds(box.peer, one.end) for one in behind):
                continue
            closed = [port for port in needed if not self._is_open(service, port, rule, decoded, namespace)]
            if closed:
                key = tuple((port.protocol, port.port) for port in closed)
                by_ports[key].append(service.spec.cluster_ip)
        if by_ports:
            ledger.now["addresses of Services are written as they are today, because no peer opens them"] = None
        return [
            {
                "to": [{"ipBlock": {"cidr": f"{a}/{32 if self.version == 4 else 128}"}} for a in sorted(addresses)],  # noqa: PLR2004
                "ports": [{"port": port, "protocol": protocol} for protocol, port in key],
            }
            for key, addresses in by_ports.items()
        ]

    @staticmethod
    def _lets_through(box: Box, at: int, port: ServicePort, behind: Iterable[Behind]) -> bool:
        if port.protocol not in WITH_PORTS:
            return False
        if box.name is not None:
            fits = box.name.protocol in {"", port.protocol}
            return fits and all(box.name.name in one.names[at] for one in behind)
        return all((n := one.numbers[at]) is not None and box.connections.allows(port.protocol, n) for one in behind)

    def _is_open(self, service: Service, port: ServicePort, rule: Json, peers: list[PolicyPeer], namespace: str) -> bool:
        written = rule.get("ports")
        address = service.spec.cluster_ip
        in_block = not peers or any(p.ip_block is not None and covers(p.ip_block.cidr, address) for p in peers)
        if in_block and (written is None or any(_holds_number(p, port.protocol, port.port) for p in written)):
            return True
        if not any(self._fits(peer, service, namespace) for peer in peers):
            return False
        return written is None or any(_leads(p, port, service.spec.ports) for p in written)

    def _fits(self, peer: PolicyPeer, service: Service, namespace: str) -> bool:
        """Say whether the controller takes *peer* to mean a Service (pkg/resolvers/endpoints.go of the controller)."""
        if peer.ip_block is not None:
            return False
        if peer.namespace_selector is None:
            near = service.namespace == namespace
        else:
            near = peer.namespace_selector.matches(self.inventory.namespaces.get(service.namespace, {}))
        return near and (peer.pod_selector is None or peer.pod_selector.matches(service.spec.selector))


def _number(port: ServicePort, declared: list[tuple[str, str, int]]) -> int | None:
    if not isinstance(port.target_port, str):
        return port.target_port or port.port
    return next((n for protocol, name, n in declared if (protocol, name) == (port.protocol, port.target_port)), None)


def _holds_number(written: Json, protocol: str, number: int) -> bool:
    if written["protocol"] != protocol:
        return False
    low = written.get("port")
    return low is None or (isinstance(low, int) and low <= number <= written.get("endPort", low))


def _leads(written: Json, port: ServicePort, offered: Iterable[ServicePort]) -> bool:
    """Say whether the controller opens *port* of a Service for a written port: it takes the first that leads to it."""
    if written["protocol"] != port.protocol:
        return False
    if "port" not in written:
        return True
    first = next(
        (o for o in offered if o.protocol == port.protocol and (o.target_port or o.port) == written["port"]),
        None,
    )
    return first is not None and first.port <= port.port <= max(first.port, written.get("endPort", first.port))
