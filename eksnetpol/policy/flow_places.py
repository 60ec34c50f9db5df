"""Who has an address of a flow: a pod, a node, a Service, or somebody outside.

Outside, addresses that no block of any policy tells apart are one place, so that there are never more places than pods, nodes,
Services and blocks. Pods on the host network have no address of their own and are their nodes.
"""

from __future__ import annotations

import ipaddress
from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from eksnetpol.model.kubernetes import Pod, Service
from eksnetpol.policy.addresses import IMDS, NODE_LOCAL_DNS, POD_IDENTITY_AGENT, Network, parse_cidr
from eksnetpol.policy.answers import Addresses, Engine, Party, Pods, ServiceAddress, Workload
from eksnetpol.policy.selecting import Selecting
from eksnetpol.policy.universe import Classes

Port = tuple[str, int]
"""Protocol and number."""

_KUBELET: Port = ("TCP", 10250)
_WELL_KNOWN = {
    **{cidr.partition("/")[0]: "the instance metadata service" for cidr in IMDS},
    **{cidr.partition("/")[0]: "the Pod Identity agent" for cidr in POD_IDENTITY_AGENT},
    NODE_LOCAL_DNS.partition("/")[0]: "NodeLocal DNSCache",
    "169.254.169.253": "the resolver of the VPC",
    "fd00:ec2::253": "the resolver of the VPC",
    "169.254.169.123": "the Amazon Time Sync Service",
    "fd00:ec2::123": "the Amazon Time Sync Service",
}
_PRIVATE = tuple(
    ipaddress.ip_network(n)
    for n in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "fc00::/7", "fe80::/10")
)
"""What VPCs and links use; all else is called the internet."""
_EVERYWHERE = Addresses("0.0.0.0/0", "outside")
_REMEMBERED = 1 << 16
"""Addresses outside that are remembered by their text; with more, all are forgotten and looked up again."""


class Kind(StrEnum):
    """What a place is. *gone*: a pod that a log names and the cluster has not."""

    POD = "pod"
    NODE = "node"
    SERVICE = "service"
    OUTSIDE = "outside"
    GONE = "gone"


@dataclass(slots=True, eq=False)
class Place:
    """Who has an address. Places with equal ``key`` are answered alike; ``title`` is what people call it.

    ``born`` is when whoever has the address now was made (seconds since 1970, 0: not known): older flows were another's.
    ``value`` is the address of a node or outside as a number. ``ports`` are those it is known to serve. ``party`` is the side of
    a question it stands for, all pods of its class for a pod.
    """

    kind: Kind
    title: str
    key: Hashable
    party: Party
    address: str = ""
    value: int = 0
    born: float = 0
    ports: frozenset[Port] = frozenset()
    workload: Workload | None = None
    classes: Classes = 0
    pod: Pod | None = None

    @property
    def alone(self) -> Party:
        """The party of this pod alone; for others as ``party``."""
        if self.pod is None or not isinstance(self.party, Pods):
            return self.party
        return Pods(self.party.classes, self.party.title, (self.pod,))


class Places:
    """Looks up addresses and names in the world of one engine."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.selecting = Selecting(engine.world, engine.atlas)
        self._pods: dict[str, tuple[int, Pod]] = {}
        self._by_name: dict[str, dict[str, tuple[int, Pod]]] = {}
        self._hosts: dict[str, set[Port]] = {}
        self._known: dict[str, Place] = {}
        self._outside: dict[str, Place] = {}
        self._served: dict[int, frozenset[Port]] = {}
        for index, pod in self._every_pod():
            self._by_name.setdefault(pod.namespace, {})[pod.name] = (index, pod)
            if pod.spec.host_network:
                declared = {(p.protocol, p.container_port) for c in pod.containers for p in c.ports}
                self._hosts.setdefault(pod.status.pod_ip or pod.status.host_ip, set()).update(declared)
            elif pod.status.pod_ip:
                address = _canonical(pod.status.pod_ip)
                before = self._pods.get(address)
                if before is None or _born(before[1]) <= _born(pod):
                    self._pods[address] = (index, pod)
        self._nodes = self._node_names()
        self._services = {
            _canonical(ip): s for s in engine.world.services for ip in (s.spec.cluster_ip, *s.spec.cluster_i_ps) if _is_one(ip)
        }
        self._node_ports = {(p.protocol, p.node_port) for s in engine.world.services for p in s.spec.ports if p.node_port}
        blocks = engine.blocks()
        self._regions = {version: _Regions(blocks, version) for version in (4, 6)}

    @property
    def is_empty(self) -> bool:
        """True when no pod has an address."""
        return not self._pods

    def at(self, address: str) -> Place:
        """Return who has *address*; raise `ValueError` for what is none."""
        known = self._known.get(address) or self._outside.get(address)
        if known is not None:
            return known
        usual = _canonical(address)
        place = self._found(usual)
        if place.kind is Kind.OUTSIDE:
            if len(self._outside) >= _REMEMBERED:
                self._outside.clear()
            self._outside[address] = place
        else:
            self._known[address] = place
        return place

    def named(self, namespace: str, name: str) -> Place | None:
        """Return the pod of that name, or one like it: of the same beginning before a ``*``, or of the same workload.

        None where the cluster has nothing of that name any more.
        """
        key = f"{namespace}/{name}"
        known = self._known.get(key)
        if known is not None:
            return known
        pods = self._by_name.get(namespace, {})
        found = pods.get(name) or self._similar(namespace, name, pods)
        if found is None:
            return None
        index, pod = found
        place = self._known[key] = self._node(pod) if pod.spec.host_network else self._pod(index, pod, exact=pod.name == name)
        return place

    def _similar(self, namespace: str, name: str, pods: dict[str, tuple[int, Pod]]) -> tuple[int, Pod] | None:
        if name.endswith("*"):
            beginning = name.rstrip("*")
            return next((found for other, found in pods.items() if other.startswith(beginning)), None) or self._of_workload(
                namespace, beginning.rstrip("-"), pods
            )
        return self._of_workload(namespace, name, pods)

    def _of_workload(self, namespace: str, name: str, pods: dict[str, tuple[int, Pod]]) -> tuple[int, Pod] | None:
        """Return a pod of the workload that named a pod *name*: after itself, with up to two parts behind."""
        for _ in range(3):
            for index, pod in pods.values():
                workload = self.engine.atlas.workload_of[index]
                if workload.name == name and workload.kind != "Pod" and workload.namespace == namespace:
                    return index, pod
            name = name.rpartition("-")[0]
            if not name:
                break
        return None

    def _every_pod(self) -> Iterator[tuple[int, Pod]]:
        for pod_class in self.engine.atlas.universe.classes:
            for pod in pod_class.pods:
                yield pod_class.index, pod

    def _node_names(self) -> dict[str, str]:
        names = {}
        for node in self.engine.world.nodes:
            for address in node.status.addresses:
                if address.type in {"InternalIP", "ExternalIP"} and _is_one(address.address):
                    names[_canonical(address.address)] = node.name
        for host in self._hosts:
            if _is_one(host):
                names.setdefault(_canonical(host), host)
        return names

    # --- kinds --------------------------------------------------------------------------------------------------------

    def _found(self, address: str) -> Place:
        pod = self._pods.get(address)
        if pod is not None:
            return self._pod(*pod)
        if address in self._nodes:
            return self._at_node(address)
        service = self._services.get(address)
        if service is not None:
            return _service(address, service)
        return self._somewhere(address)

    def _pod(self, index: int, pod: Pod, *, exact: bool = True) -> Place:
        workload = self.engine.atlas.workload_of[index]
        title = str(workload)
        served = self._served.get(index)
        if served is None:
            served = self._served[index] = frozenset(self._served_by(index, pod))
        return Place(
            kind=Kind.POD,
            title=title,
            key=index,
            party=Pods(1 << index, title),
            address=pod.status.pod_ip,
            born=_born(pod) if exact else 0,
            ports=served,
            workload=workload,
            classes=1 << index,
            pod=pod,
        )

    def _served_by(self, index: int, pod: Pod) -> Iterator[Port]:
        containers = self.engine.atlas.universe.classes[index].containers
        named: dict[tuple[str, str], int] = {}
        for container in containers:
            for port in container.ports:
                named.setdefault((port.protocol, port.name), port.container_port)
                yield port.protocol, port.container_port
        for service in self.selecting.services_of([pod]):
            for offer in service.spec.ports:
                target = offer.target_port or offer.port
                number = named.get((offer.protocol, target)) if isinstance(target, str) else target
                if number:
                    yield offer.protocol, number

    def _node(self, pod: Pod) -> Place:
        address = pod.status.pod_ip or pod.status.host_ip
        return self._at_node(_canonical(address)) if _is_one(address) else Place(Kind.NODE, "nodes", "node", _EVERYWHERE)

    def _at_node(self, address: str) -> Place:
        title = f"node/{self._nodes.get(address, address)}"
        ports = frozenset({_KUBELET} | self._node_ports | self._hosts.get(address, set()))
        number = int(ipaddress.ip_address(address))
        return Place(Kind.NODE, "nodes", ("node", address), Addresses(_single(address), title), address, number, ports=ports)

    def _somewhere(self, address: str) -> Place:
        number = ipaddress.ip_address(address)
        named = _WELL_KNOWN.get(address)
        if named:
            return Place(Kind.OUTSIDE, f"{named} ({address})", address, Addresses(_single(address), named), address, int(number))
        title, key = self._regions[number.version].of(int(number))
        return Place(Kind.OUTSIDE, title, key, Addresses(_single(address), address), address, int(number))


class _Regions:
    """The addresses of one family, cut where any block begins or ends; a region is called by the narrowest that holds it."""

    def __init__(self, cidrs: Iterable[str], version: int) -> None:
        blocks = sorted(
            (n for n in map(parse_cidr, cidrs) if n is not None and n.version == version and n.prefixlen), key=_width
        )
        private = [n for n in _PRIVATE if n.version == version]
        cuts = {0}
        for network in (*blocks, *private):
            cuts |= {int(network.network_address), int(network.broadcast_address) + 1}
        self._cuts = sorted(cuts)
        # Blocks are nested or apart, so of those written over a region the narrowest is the last.
        titles = ["internet"] * len(self._cuts)
        for network, title in (*((n, "private addresses") for n in private), *((n, str(n)) for n in blocks)):
            first = bisect_left(self._cuts, int(network.network_address))
            after = bisect_left(self._cuts, int(network.broadcast_address) + 1)
            titles[first:after] = [title] * (after - first)
        self._places = [(title, (version, title)) for title in titles]

    def of(self, number: int) -> tuple[str, Hashable]:
        """Return title and key of the region that an address is in."""
        return self._places[bisect_right(self._cuts, number) - 1]


def _width(network: Network) -> int:
    return network.prefixlen


def _service(address: str, service: Service) -> Place:
    title = f"svc:{service.namespace}/{service.name}"
    ports = frozenset((p.protocol, p.port) for p in service.spec.ports)
    return Place(Kind.SERVICE, title, title, ServiceAddress(service, title), address, ports=ports)


def gone(namespace: str, name: str) -> Place:
    """Return the place of a pod that is no more."""
    title = f"{namespace}/{name}"
    return Place(Kind.GONE, title, ("gone", title), _EVERYWHERE)


ANYWHERE = Place(Kind.OUTSIDE, "outside, address unknown", "anywhere", _EVERYWHERE)
"""An end that the log says is outside, and not where."""


def _single(address: str) -> str:
    return f"{address}/{128 if ':' in address else 32}"


def _canonical(address: str) -> str:
    """Return an address in its usual form; one of IPv4 that is written in IPv6 as that of IPv4."""
    if ":" not in address:
        return str(ipaddress.IPv4Address(address))
    number = ipaddress.IPv6Address(address)
    return str(number.ipv4_mapped or number)


def _is_one(address: str) -> bool:
    network = parse_cidr(address) if address and address != "None" else None
    return network is not None and network.prefixlen == network.max_prefixlen and "/" not in address


def _born(pod: Pod) -> float:
    made = pod.metadata.creation_timestamp
    return made.timestamp() if made is not None else 0.0
