"""A cluster as both oracles see it: pods that run, labels of namespaces, addresses, declared ports."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from eksnetpol.model.kubernetes import Pod, Service
from eksnetpol.model.selectors import LabelSelector
from eksnetpol.policy.world import World

PORTED = ("TCP", "UDP", "SCTP")


class Packet(NamedTuple):
    """A protocol and a number: a port, an ICMP type and code, an IP protocol."""

    protocol: str
    number: int


@dataclass(frozen=True)
class Place:
    """One end of a connection: a pod, or an address that is no pod's."""

    address: str
    pod: Pod | None = None

    @property
    def is_host(self) -> bool:
        """True for a pod on the host network: it is its node."""
        return self.pod is not None and self.pod.spec.host_network

    def __str__(self) -> str:
        return self.address if self.pod is None else f"{self.pod.namespace}/{self.pod.name}"


class Cluster:
    """The running pods of a world with an address each: where none is known, one that no block but that of all holds."""

    def __init__(self, world: World, family: str) -> None:
        self.world = world
        self.family = family
        self.namespaces: dict[str, dict[str, str]] = {}
        for pod in world.pods:
            self.namespaces[pod.namespace] = {"kubernetes.io/metadata.name": pod.namespace}
        for service in world.services:
            self.namespaces.setdefault(service.namespace, {"kubernetes.io/metadata.name": service.namespace})
        for namespace in world.namespaces:
            self.namespaces[namespace.name] = {"kubernetes.io/metadata.name": namespace.name, **namespace.metadata.labels}
        self.places: dict[tuple[str, str], Place] = {}
        for number, pod in enumerate(world.pods):
            if pod.status.phase not in {"Succeeded", "Failed"}:
                self.places[pod.namespace, pod.name] = Place(pod.status.pod_ip or self.unknown(number), pod)

    def unknown(self, number: int) -> str:
        """Return an address of the cluster's family that stands for one nobody knows."""
        return f"240.0.0.{number + 1}" if self.family == "ipv4" else f"ee00::{number + 1:x}"

    def pods(self) -> list[Place]:
        """Return all pods that run."""
        return list(self.places.values())

    def address_of(self, service: Service) -> str | None:
        """Return the address of a Service; None where it has none."""
        if service.spec.cluster_ip == "None" or service.spec.type == "ExternalName":
            return None
        return service.spec.cluster_ip or self.unknown(100 + self.world.services.index(service))

    def behind(self, service: Service) -> list[Place]:
        """Return the pods behind a Service; none where it selects nothing."""
        if not service.spec.selector:
            return []
        return [
            place
            for (namespace, _), place in self.places.items()
            if namespace == service.namespace and place.pod is not None and has(place.pod.labels, service.spec.selector)
        ]


def has(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Say whether *labels* have all of *wanted*."""
    return all(key in labels and labels[key] == value for key, value in wanted.items())


def selects(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Say whether a selector matches; an empty one always does, and a missing key is not in any list."""
    if not has(labels, selector.match_labels):
        return False
    for requirement in selector.match_expressions:
        is_there = requirement.key in labels
        is_listed = is_there and labels[requirement.key] in requirement.values
        met = {"In": is_listed, "NotIn": not is_listed, "Exists": is_there, "DoesNotExist": not is_there}
        if not met[requirement.operator.value]:
            return False
    return True


def holds(cidr: str, excepts: Iterable[str], address: str) -> bool:
    """Say whether an address is in a block and in none of its exceptions."""
    ip = ipaddress.ip_address(address)
    return ip in ipaddress.ip_network(cidr, strict=False) and not any(
        ip in ipaddress.ip_network(hole, strict=False) for hole in excepts
    )


def declared(pod: Pod, *, with_sidecars: bool) -> list[tuple[str, str, int]]:
    """Return the ports of a pod's containers as (protocol, name, number), those of native sidecars last."""
    containers = list(pod.containers)
    if with_sidecars:
        containers += [c for c in pod.init_containers if c.restart_policy == "Always"]
    return [(p.protocol, p.name, p.container_port) for c in containers for p in c.ports]


def named(pod: Pod, protocol: str, name: str, *, with_sidecars: bool) -> int | None:
    """Return the number of the first port with that name and protocol."""
    return next((n for p, own, n in declared(pod, with_sidecars=with_sidecars) if (p, own) == (protocol, name)), None)
