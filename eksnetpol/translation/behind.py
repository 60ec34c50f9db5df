"""The Services of a cluster in sets: what is behind each, whom of that a formula means, and which of them a peer's labels open.

Services are numbered in the order of their addresses and ends in that of theirs, so that a block is a run of numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from eksnetpol.model.kubernetes import Pod, Service
from eksnetpol.model.policies import PolicyPeer
from eksnetpol.policy.addresses import parse_cidr
from eksnetpol.policy.prediction.services import index_services, services_meant
from eksnetpol.policy.stacks.ends import End, end_at, end_of_pod
from eksnetpol.policy.stacks.formulas import Formula
from eksnetpol.policy.universe import Classes, Universe, indexes_of, set_of
from eksnetpol.translation.end_sets import EndSets, run, sets_of
from eksnetpol.translation.ground import Inventory

_API_SERVER = ("default", "kubernetes")
"""The Service of the Kubernetes API, which selects nothing."""


class Behind(NamedTuple):
    """One kind of pod, or an address, behind a Service: as an end, and what each port of the Service leads to there."""

    end: End
    numbers: tuple[int | None, ...]
    names: tuple[frozenset[str], ...]


class Door(NamedTuple):
    """One port of a Service: what is written of it, the numbers that it has behind it, and the names that all of these bear.

    None among ``numbers``: somewhere behind it, it leads nowhere.
    """

    protocol: str
    port: int
    target: int | str
    numbers: frozenset[int | None]
    names: frozenset[str]


@dataclass
class Fronts:
    """The Services that have an address of family *version* and something behind it."""

    inventory: Inventory
    version: int
    _known_of: dict[int, End] = field(default_factory=dict, repr=False)
    _known_at: dict[str, End] = field(default_factory=dict, repr=False)
    _whole: dict[Formula, Classes] = field(default_factory=dict, repr=False)

    @cached_property
    def _found(self) -> list[tuple[int, int, Service, tuple[Behind, ...]]]:
        """Every one by its address, with its place among the Services of the cluster."""
        found = []
        for place, service in enumerate(self.inventory.world.services):
            address = parse_cidr(service.spec.cluster_ip) if service.spec.cluster_ip not in {"", "None"} else None
            if address is None or address.version != self.version:
                continue
            behind = tuple(self._behind(service) if service.spec.selector else self._behind_slices(service))
            if behind:
                found.append((int(address.network_address), place, service, behind))
        return sorted(found, key=lambda one: one[:2])

    @cached_property
    def services(self) -> tuple[Service, ...]:
        """The Services by number."""
        return tuple(one[2] for one in self._found)

    @cached_property
    def places(self) -> tuple[int, ...]:
        """Where each has its place among the Services of the cluster."""
        return tuple(one[1] for one in self._found)

    @cached_property
    def behind(self) -> tuple[tuple[Behind, ...], ...]:
        """What is behind each."""
        return tuple(one[3] for one in self._found)

    @cached_property
    def without_selector(self) -> Classes:
        """Those that select nothing: a peer that asks for no label opens them."""
        return set_of(number for number, service in enumerate(self.services) if not service.spec.selector)

    @cached_property
    def everything(self) -> Classes:
        """All of them."""
        return (1 << len(self._found)) - 1

    @cached_property
    def doors(self) -> Mapping[tuple[Door, ...], Classes]:
        """Which Services have the same ports, leading to the same numbers and names."""
        return sets_of((doors, number) for number, doors in enumerate(self.doors_of))

    @cached_property
    def doors_of(self) -> tuple[tuple[Door, ...], ...]:
        """The ports of each."""
        return tuple(_doors(service, behind) for service, behind in zip(self.services, self.behind, strict=True))

    # --- what is behind -----------------------------------------------------------------------------------------------

    def _behind(self, service: Service) -> Iterator[Behind]:
        for at in indexes_of(self._selected(service)):
            pod = self._pods[at]
            declared = [(p.protocol, p.name, p.container_port) for c in pod.containers for p in c.ports]
            numbers = tuple(_number(port.target_port, port.port, port.protocol, declared) for port in service.spec.ports)
            names = tuple(
                frozenset(name for protocol, name, n in declared if name and (protocol, n) == (port.protocol, number))
                for port, number in zip(service.spec.ports, numbers, strict=True)
            )
            yield Behind(self._end_of(at), numbers, names)

    def _selected(self, service: Service) -> Classes:
        within = self._in_namespace.get(service.namespace, 0)
        for label in service.spec.selector.items():
            within &= self._labelled.get(label, 0)
        return within

    @cached_property
    def _pods(self) -> tuple[Pod, ...]:
        return tuple(pod for pod in self.inventory.world.pods if not pod.is_terminal)

    @cached_property
    def _in_namespace(self) -> Mapping[str, Classes]:
        return sets_of((pod.namespace, at) for at, pod in enumerate(self._pods))

    @cached_property
    def _labelled(self) -> Mapping[tuple[str, str], Classes]:
        return sets_of((label, at) for at, pod in enumerate(self._pods) for label in pod.labels.items())

    def _behind_slices(self, service: Service) -> Iterator[Behind]:
        """Yield what is behind a Service that selects nothing, as far as its EndpointSlices were read."""
        nameless = tuple(frozenset[str]() for _ in service.spec.ports)
        key = (service.namespace, service.name)
        if key == _API_SERVER and key not in self.inventory.world.slices_by_service:
            # Its slices are read for their addresses alone.
            targets = (port.target_port for port in service.spec.ports)
            direct = tuple(t or p.port for p, t in zip(service.spec.ports, targets, strict=True) if not isinstance(t, str))
            for address in sorted(self.inventory.world.api_servers or ()) if len(direct) == len(nameless) else ():
                network = parse_cidr(address)
                if network is not None and network.version == self.version:
                    yield Behind(self._end(address), direct, nameless)
        for one in self.inventory.world.slices_by_service.get((service.namespace, service.name), ()):
            offered = {(port.name, port.protocol): port.port for port in one.ports}
            numbers = tuple(offered.get((port.name, port.protocol)) for port in service.spec.ports)
            for address in (address for endpoint in one.endpoints for address in endpoint.addresses):
                network = parse_cidr(address)
                if network is not None and network.version == self.version:
                    yield Behind(self._end(address), numbers, nameless)

    def _end(self, address: str) -> End:
        at = self._pods_by_address.get(address)
        if at is not None:
            return self._end_of(at)
        if address not in self._known_at:
            self._known_at[address] = end_at(self.inventory.world, address)
        return self._known_at[address]

    def _end_of(self, at: int) -> End:
        if at not in self._known_of:
            self._known_of[at] = end_of_pod(self.inventory.world, self._pods[at])
        return self._known_of[at]

    @cached_property
    def _pods_by_address(self) -> Mapping[str, int]:
        return {pod.status.pod_ip: at for at, pod in enumerate(self._pods) if not pod.spec.host_network}

    # --- whom of that a formula means ---------------------------------------------------------------------------------

    def wholly(self, peer: Formula) -> Classes:
        """Return the Services of which *peer* surely means all that is behind them."""
        known = self._whole.get(peer)
        if known is None:
            sure = self.sure(peer)
            others = self.ends.everything & ~sure
            if sure.bit_count() > others.bit_count():
                known = self.everything & ~self._with_any(others)
            else:
                near = indexes_of(self._with_any(sure))
                known = set_of(number for number in near if not self.ends_of[number] & others)
            self._whole[peer] = known
        return known

    def sure(self, peer: Formula) -> Classes:
        """Return the ends behind Services that *peer* surely means, as a set of numbers of ends."""
        return self.ends.of(peer)[0]

    @cached_property
    def ends(self) -> EndSets:
        """All ends that are behind a Service."""
        return EndSets(one.end for behind in self.behind for one in behind)

    @cached_property
    def ends_of(self) -> tuple[Classes, ...]:
        """By number of a Service, the ends behind it."""
        return tuple(set_of(self.ends.number(one.end) for one in behind) for behind in self.behind)

    @cached_property
    def _by_end(self) -> tuple[Classes, ...]:
        found: list[list[int]] = [[] for _ in self.ends.ends]
        for number, ends in enumerate(self.ends_of):
            for end in indexes_of(ends):
                found[end].append(number)
        return tuple(map(set_of, found))

    def _with_any(self, ends: Classes) -> Classes:
        found = 0
        for end in indexes_of(ends):
            found |= self._by_end[end]
        return found

    # --- which of them peers open -------------------------------------------------------------------------------------

    def meant_by(self, peer: PolicyPeer, namespace: str) -> Classes:
        """Return the Services that the controller takes *peer*, of a policy in *namespace*, to mean by its labels.

        It holds them against what a Service selects by (pkg/resolvers/endpoints.go of the controller).
        """
        return 0 if peer.ip_block is not None else services_meant(self._index, peer, namespace)

    @cached_property
    def _index(self) -> Universe:
        return index_services(self.services, self.inventory.world.namespaces)

    def within(self, cidr: str) -> Classes:
        """Return the Services that have their address in a block."""
        network = parse_cidr(cidr)
        return 0 if network is None or network.version != self.version else run(self._addresses, network)

    @cached_property
    def _addresses(self) -> list[tuple[int, int]]:
        return [(self.version, one[0]) for one in self._found]


def _doors(service: Service, behind: tuple[Behind, ...]) -> tuple[Door, ...]:
    found = []
    for at, port in enumerate(service.spec.ports):
        numbers = frozenset(one.numbers[at] for one in behind)
        names = frozenset.intersection(*(one.names[at] for one in behind))
        found.append(Door(port.protocol, port.port, port.target_port or port.port, numbers, names))
    return tuple(found)


def _number(target: int | str | None, port: int, protocol: str, declared: list[tuple[str, str, int]]) -> int | None:
    if not isinstance(target, str):
        return target or port
    return next((n for of, name, n in declared if (of, name) == (protocol, target)), None)
