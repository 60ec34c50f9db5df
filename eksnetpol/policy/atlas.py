"""The pods of an engine: classes just as fine as its questions need.

`universe.build` keeps pods apart by everything that any reader may ask for. Here pods of one workload come together where no
selector asks for what differs (hashes, ordinals), and are told apart by what an engine looks at besides labels: whether an
address block of some policy holds them, and, for an engine that finds pods by the beginning of their name, by name and node.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from eksnetpol.model.kubernetes import Container, Pod
from eksnetpol.policy.addresses import Network, parse_cidr
from eksnetpol.policy.answers import Atlas, Workload
from eksnetpol.policy.owners import owner_of
from eksnetpol.policy.universe import Classes, PodClass, Universe, index_classes, set_of
from eksnetpol.policy.world import World

Ports = tuple[tuple[str, str, int], ...]
"""Declared ports as (protocol, name, number), in the order of the containers."""

UNKNOWN = -1
"""The place of a pod whose address is not known: no block but that of all addresses holds it."""

_NAMING = frozenset({"ReplicaSet", "DaemonSet", "StatefulSet", "Job"})
"""Owners that name their pods after themselves, so that one pod shows the name of all."""

NameOf = Callable[[str, str], str]
"""The identity of a pod, by its name and namespace."""


@dataclass(frozen=True, slots=True)
class Chart:
    """An `Atlas` and what engines need beside it. ``ports`` are by class index, ``sidecar_ports`` with native sidecars."""

    atlas: Atlas
    regions: Regions
    address: Sequence[int]
    """The place of each class among the regions; `UNKNOWN` without address."""
    ports: Sequence[Ports]
    sidecar_ports: Sequence[Ports]
    neighbours: Mapping[int, Classes]
    """For each class that shares the beginning of its pods' names with others: all classes that do, itself included."""
    nodes_of_shared: Mapping[int, str]
    """For the same classes, the node (``hostIP``) that all their pods run on."""
    _within: dict[Network, Classes] = field(default_factory=dict)
    _at: dict[int, list[int]] = field(default_factory=dict)

    @property
    def universe(self) -> Universe:
        """The classes."""
        return self.atlas.universe

    def within(self, network: Network) -> Classes:
        """Return the classes whose pods have their address in *network*, which must be one that the chart was drawn with."""
        known = self._within.get(network)
        if known is None:
            if network.prefixlen == 0 and self.regions.version == network.version:
                known = self.universe.everything
            else:
                if not self._at:
                    for index, place in enumerate(self.address):
                        self._at.setdefault(place, []).append(index)
                places = self.regions.covered(network)
                known = set_of(chain.from_iterable(self._at.get(place, ()) for place in places))
            self._within[network] = known
        return known

    def held(self, blocks: Iterable[tuple[Network, tuple[Network, ...]]]) -> Classes:
        """Return the classes whose pods have their address in one of *blocks*, each without its exceptions."""
        found = 0
        for network, holes in blocks:
            here = self.within(network)
            for hole in holes:
                here &= ~self.within(hole)
            found |= here
        return found


class Regions:
    """The addresses of one family, cut where any of some blocks begins or ends; a region is known by its place."""

    def __init__(self, networks: Iterable[Network], version: int) -> None:
        cuts = {0}
        for network in networks:
            if network.version == version:
                cuts.add(int(network.network_address))
                cuts.add(int(network.broadcast_address) + 1)
        self.version = version
        self.cuts = sorted(cuts)
        # Addresses that share all but the last part mostly share the region, so most are looked up by that text alone.
        self._known: dict[str, int | None] = {}

    def covered(self, network: Network) -> range:
        """Return the places of the regions that *network* is made of."""
        if network.version != self.version:
            return range(0)
        first = bisect_right(self.cuts, int(network.network_address)) - 1
        return range(first, bisect_right(self.cuts, int(network.broadcast_address)))

    def place(self, address: str) -> int:
        """Return the place of an address as a pod's status has it; `UNKNOWN` for what is none of this family."""
        head, dot, _ = address.rpartition(".")
        if not dot:
            return self._exact(address)
        place = self._known.get(head, UNKNOWN)
        if place == UNKNOWN:
            place = self._known[head] = self._of_block(head)
        return self._exact(address) if place is None else place

    def _of_block(self, head: str) -> int | None:
        network = parse_cidr(f"{head}.0/24")
        places = self.covered(network) if network is not None else range(0)
        return places[0] if len(places) == 1 else None

    def _exact(self, address: str) -> int:
        network = parse_cidr(address) if address else None
        if network is None or network.version != self.version:
            return UNKNOWN
        return bisect_right(self.cuts, int(network.network_address)) - 1


@dataclass(slots=True)
class _Cell:
    """Pods that become one class."""

    like: PodClass
    labels: Mapping[str, str]
    workload: Workload
    place: int
    ports: Ports
    sidecar_ports: Ports
    pods: list[Pod]
    identities: set[str]


def draw(
    world: World,
    base: Universe,
    keys: frozenset[str],
    networks: Iterable[Network],
    version: int,
    name_of: NameOf | None,
    *,
    by_account: bool = False,
) -> Chart:
    """Return the classes of *base*'s unfinished pods.

    *keys* are the label keys that any selector asks for, *networks* the blocks of all policies, *version* the family (4 or 6).
    *name_of* tells identities apart; None where the engine knows pods by themselves. *by_account*: policies ask for accounts.
    """
    regions = Regions(networks, version)
    cells = list(_cells(base, keys, regions, name_of, by_account=by_account))
    shared: dict[int, tuple[str, str]] = {}
    if name_of is not None:
        cells, shared = _told_apart(cells, name_of)
    classes = tuple(_class(i, cell) for i, cell in enumerate(cells))
    universe = index_classes(classes, world.namespaces)
    groups: dict[str, list[int]] = {}
    for index, (identity, _) in shared.items():
        groups.setdefault(identity, []).append(index)
    neighbours = {i: found for members in groups.values() for found in (set_of(members),) for i in members}
    workloads: dict[Workload, list[int]] = {}
    for i, cell in enumerate(cells):
        workloads.setdefault(cell.workload, []).append(i)
    return Chart(
        atlas=Atlas(
            universe=universe,
            workload_of=tuple(c.workload for c in cells),
            workloads={w: set_of(indexes) for w, indexes in workloads.items()},
            class_of=_ClassOf(classes),
        ),
        regions=regions,
        address=[c.place for c in cells],
        ports=[c.ports for c in cells],
        sidecar_ports=[c.sidecar_ports for c in cells],
        neighbours=neighbours,
        nodes_of_shared={index: node for index, (_, node) in shared.items()},
    )


class _ClassOf(Mapping[tuple[str, str], int]):
    """Class index by namespace and name of a pod, made when it is first asked for."""

    def __init__(self, classes: tuple[PodClass, ...]) -> None:
        self._classes = classes
        self._known: dict[tuple[str, str], int] = {}

    def _all(self) -> dict[tuple[str, str], int]:
        if not self._known:
            self._known = {(p.metadata.namespace, p.metadata.name): c.index for c in self._classes for p in c.pods}
        return self._known

    def __getitem__(self, key: tuple[str, str]) -> int:
        return self._all()[key]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


def _cells(
    base: Universe, keys: frozenset[str], regions: Regions, name_of: NameOf | None, *, by_account: bool
) -> Iterator[_Cell]:
    cells: dict[Any, _Cell] = {}
    seen: dict[int, tuple[Ports, Ports]] = {}
    names = tuple(sorted(keys))
    for pod_class in base.classes:
        if pod_class.is_terminal:
            continue
        # Workloads have their pods beside each other, and most of their classes differ in what nobody asks for.
        owner = owner_of(pod_class.pods[0])
        ports = None if pod_class.init_containers else seen.get(id(pod_class.containers))
        if ports is None:
            ports = (_ports(pod_class.containers), _ports((*pod_class.containers, *_sidecars(pod_class.init_containers))))
            if not pod_class.init_containers:
                seen[id(pod_class.containers)] = ports
        own = pod_class.labels
        values = tuple([own.get(name) for name in names])
        account = pod_class.service_account if by_account else ""
        kind = (pod_class.namespace, owner.kind, owner.name, pod_class.host_network, values, ports, account)
        for place, pods in _by_place(pod_class.pods, regions):
            cell = cells.get((kind, place))
            if cell is None:
                labels = {name: value for name, value in zip(names, values, strict=True) if value is not None}
                workload = Workload(pod_class.namespace, owner.kind, owner.name)
                cell = cells[kind, place] = _Cell(pod_class, labels, workload, place, *ports, [], set())
            cell.pods.extend(pods)
            if name_of is not None and not pod_class.host_network:
                cell.identities.update(_identities(pods, pod_class.namespace, name_of))
    yield from cells.values()


def _by_place(pods: tuple[Pod, ...], regions: Regions) -> Iterable[tuple[int, Sequence[Pod]]]:
    place = regions.place
    first = place(pods[0].status.pod_ip)
    if len(pods) == 1:
        return ((first, pods),)
    places = [place(pod.status.pod_ip) for pod in pods]
    if places.count(first) == len(pods):
        return ((first, pods),)
    groups: dict[int, list[Pod]] = {}
    for at, pod in zip(places, pods, strict=True):
        groups.setdefault(at, []).append(pod)
    return groups.items()


def _ports(containers: Iterable[Container]) -> Ports:
    return tuple((p.protocol, p.name, p.container_port) for c in containers for p in c.ports)


def _sidecars(containers: tuple[Container, ...]) -> Iterator[Container]:
    return (c for c in containers if c.restart_policy == "Always")


def _identities(pods: Sequence[Pod], namespace: str, name_of: NameOf) -> Iterable[str]:
    first = pods[0].metadata
    owner = next((o for o in first.owner_references if o.controller), None)
    if owner is not None and owner.kind in _NAMING and first.name.rpartition("-")[0] == owner.name:
        return (name_of(first.name, namespace),)
    return {name_of(p.metadata.name, namespace) for p in pods}


def _told_apart(cells: list[_Cell], name_of: NameOf) -> tuple[list[_Cell], dict[int, tuple[str, str]]]:
    """Split the cells whose names others share, by name and node; return all, and identity and node of the split ones."""
    bearers: dict[str, int] = {}
    for cell in cells:
        for identity in cell.identities:
            bearers[identity] = bearers.get(identity, 0) + 1
    done: list[_Cell] = []
    shared: dict[int, tuple[str, str]] = {}
    for cell in cells:
        if all(bearers[identity] == 1 for identity in cell.identities):
            done.append(cell)
            continue
        parts: dict[tuple[str, str], list[Pod]] = {}
        for pod in cell.pods:
            identity = name_of(pod.metadata.name, cell.like.namespace)
            key = (identity, pod.status.host_ip) if bearers[identity] > 1 else ("", "")
            parts.setdefault(key, []).append(pod)
        for key, pods in parts.items():
            if key[0]:
                shared[len(done)] = key
            done.append(
                _Cell(cell.like, cell.labels, cell.workload, cell.place, cell.ports, cell.sidecar_ports, pods, {key[0]})
            )
    return done, shared


def _class(index: int, cell: _Cell) -> PodClass:
    like = cell.like
    return PodClass(
        index=index,
        namespace=like.namespace,
        labels=cell.labels,
        containers=like.containers,
        init_containers=like.init_containers,
        service_account=like.service_account,
        mounts_token=like.mounts_token,
        host_network=like.host_network,
        is_owned=like.is_owned,
        is_terminal=False,
        pods=tuple(cell.pods),
    )


def keys_of(selectors: Iterable[Any]) -> frozenset[str]:
    """Return the label keys that label *selectors* ask for."""
    return frozenset(
        chain.from_iterable(
            chain(s.match_labels, (r.key for r in s.match_expressions)) for s in selectors if s is not None
        )
    )
