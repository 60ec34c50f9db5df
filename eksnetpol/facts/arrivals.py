"""Traffic from outside the cluster's pods, by the way it takes to them, and whom policies let it in to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from eksnetpol.facts import openings, policing, services  # noqa: F401 - declare facts that are asked for below
from eksnetpol.facts.declare import fact
from eksnetpol.facts.services import ServedPort
from eksnetpol.model.eks import Vpc
from eksnetpol.model.kubernetes import Node, Service
from eksnetpol.model.snapshot import Unread
from eksnetpol.policy.declared import DeclaredPorts
from eksnetpol.policy.isolation import Isolation
from eksnetpol.policy.openings import blocks_that_admit, lets_in
from eksnetpol.policy.peers import SelectedPeer
from eksnetpol.policy.reach import Blocks
from eksnetpol.policy.universe import Classes

EVERYWHERE = ("0.0.0.0/0", "::/0")
_PREFIX = "service.beta.kubernetes.io/aws-load-balancer-"
_IP_CLASSES = {"eks.amazonaws.com/nlb"}


class Way(StrEnum):
    """How traffic from outside comes to a pod, and so whose address it has there."""

    DIRECT = "direct"
    """From a load balancer that has the pods themselves as targets: its own address, or the client's."""
    LOCAL = "local"
    """By a node port that leads to pods of its own node alone: the client's address."""
    ANY_NODE = "any-node"
    """By a node port that leads to any pod: the address of the node that took it."""


def way_of(service: Service) -> Way | None:
    """Return how clients outside reach the pods of *service*; None where they cannot by the Service itself."""
    spec = service.spec
    if spec.type == "LoadBalancer":
        notes = service.metadata.annotations
        target = notes.get(f"{_PREFIX}nlb-target-type", "ip" if spec.load_balancer_class in _IP_CLASSES else "instance")
        if target == "ip" or notes.get(f"{_PREFIX}type") == "nlb-ip":
            return Way.DIRECT
    elif spec.type != "NodePort":
        return None
    return Way.LOCAL if spec.external_traffic_policy == "Local" else Way.ANY_NODE


@dataclass(frozen=True, slots=True)
class Arrival:
    """A port of a Service that is reached from outside: ``closed`` are isolated pods behind it that let nobody in that way.

    ``ports`` are their own ports.
    """

    served: ServedPort
    way: Way
    closed: Classes
    ports: tuple[int, ...]


@fact
def arrivals(
    served_ports: tuple[ServedPort, ...],
    isolation: Isolation,
    ingress_blocks: Blocks,
    selected_peers: tuple[SelectedPeer, ...],
    declared_ports: DeclaredPorts,
    nodes: tuple[Node, ...] | Unread,
    vpc: Vpc | Unread,
) -> tuple[Arrival, ...]:
    """All ports of Services that clients outside reach, with isolated pods that surely let none of them in.

    A block counts as soon as it shares an address with where the traffic may come from: which one it will be nobody knows. A
    peer on the host network has the address of its node, and counts as nodes.
    """
    reached = [(s, way_of(s.service)) for s in served_ports if s.service.spec.type in {"LoadBalancer", "NodePort"}]
    known: dict[tuple[bool, str, int], Classes] = {}
    own = addresses_of_nodes(nodes, vpc)
    found = []
    for served, way in reached:
        if way is None or not served.backends & isolation.ingress:
            continue
        by_node = way is Way.ANY_NODE
        closed, ports = 0, []
        for number, classes in served.targets.items():
            key = (by_node, served.port.protocol, number)
            if key not in known:
                known[key] = blocks_that_admit(ingress_blocks, own if by_node else EVERYWHERE, key[1], number)
                if by_node:
                    known[key] |= _by_hosts(isolation, selected_peers, declared_ports, key[1], number)
            shut = classes & isolation.ingress & ~known[key]
            if shut:
                closed |= shut
                ports.append(number)
        if closed:
            found.append(Arrival(served, way, closed, tuple(ports)))
    return tuple(found)


def addresses_of_nodes(nodes: tuple[Node, ...] | Unread, vpc: Vpc | Unread) -> tuple[str, ...]:
    """Return the blocks that nodes are in: those of the VPC, else their own addresses; everything where neither is known."""
    if not isinstance(vpc, Unread) and vpc.cidrs:
        return vpc.cidrs
    if isinstance(nodes, Unread) or not nodes:
        return EVERYWHERE
    return tuple(dict.fromkeys(a.address for n in nodes for a in n.status.addresses if a.type == "InternalIP"))


def _by_hosts(
    isolation: Isolation, peers: Iterable[SelectedPeer], ports: DeclaredPorts, protocol: str, number: int
) -> Classes:
    hosts = isolation.universe.on_host_network
    answer = 0
    for _, selected in lets_in(peers, hosts, isolation, ports, protocol, number):
        answer |= selected
    return answer


def by_service(arrivals: Iterable[Arrival], ways: Mapping[Way, str]) -> Iterator[tuple[Service, Classes, tuple[int, ...], str]]:
    """Yield, for each Service reached in one of *ways*, the pods that are closed, their ports, and the words of the way."""
    found: dict[int, tuple[Service, Classes, dict[int, None], str]] = {}
    for arrival in arrivals:
        if arrival.way in ways:
            service = arrival.served.service
            _, closed, ports, words = found.get(id(service), (service, 0, {}, ways[arrival.way]))
            found[id(service)] = (service, closed | arrival.closed, ports | dict.fromkeys(arrival.ports), words)
    for service, closed, ports, words in found.values():
        yield service, closed, tuple(ports), words
