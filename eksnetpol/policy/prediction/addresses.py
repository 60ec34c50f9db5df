"""The addresses of ready pods, class by class: what an entry or an endpoint needs of a pod, made once and shared."""

from __future__ import annotations

from functools import cached_property
from itertools import chain

import msgspec

from eksnetpol.model.kubernetes import Pod
from eksnetpol.policy.universe import Classes, PodClass, Universe, indexes_of, key_of, set_of

ANNOTATION = "vpc.amazonaws.com/pod-ips"
"""What the CNI writes a pod's address into before its status has it."""

_CROWD = 32
"""Classes of so many pods are few, and summed one by one."""

_ENCODE = msgspec.json.encode


def address_of(pod: Pod) -> str:
    """Return the address the controller takes: the status's, else the annotation's as it is; empty where neither has one."""
    return pod.status.pod_ip or pod.metadata.annotations.get(ANNOTATION, "")


class AddressBook:
    """Addresses by class. A pod is *ready* when it has one and has not finished, or, for old releases, when it has one."""

    def __init__(self, universe: Universe, *, lists_finished: bool) -> None:
        self._universe = universe
        among = universe.everything if lists_finished else universe.everything & ~universe.terminal
        self._ips: list[tuple[str, ...]] = [()] * len(universe.classes)
        for i in indexes_of(among):
            self._ips[i] = _addresses(universe.classes[i])
        self.ready: Classes = set_of([i for i, ips in enumerate(self._ips) if ips])
        weights = [len(ips) for ips in self._ips]
        self._planes = _planes([w if w < _CROWD else 0 for w in weights])
        self._crowds = {i: w for i, w in enumerate(weights) if w >= _CROWD}
        self._crowded = set_of(self._crowds)
        self._counts: dict[bytes, int] = {}
        self._hosts: dict[bytes, int] = {}
        self._heads: dict[int, list[bytes]] = {}
        self._endpoints: dict[int, list[bytes]] = {}

    @cached_property
    def taken(self) -> frozenset[str]:
        """All addresses."""
        return frozenset(chain.from_iterable(self._ips))

    @cached_property
    def is_plain(self) -> bool:
        """True when no two pods share an address, but those on the host network of one node."""
        hosts = self.ready & self._universe.on_host_network
        nodes = set(self.addresses(hosts))
        return len(self.taken) == self.count_pods(self.ready & ~hosts) + len(nodes)

    def addresses(self, classes: Classes) -> list[str]:
        """Return the addresses of the ready pods of *classes*, in the order of the classes; a node's as often as pods have it."""
        return list(chain.from_iterable(self._ips[i] for i in indexes_of(classes)))

    def count_pods(self, classes: Classes) -> int:
        """Return how many ready pods *classes* have."""
        key = key_of(classes)
        known = self._counts.get(key)
        if known is None:
            known = sum([worth * (classes & plane).bit_count() for worth, plane in self._planes])
            crowded = classes & self._crowded
            if crowded:
                known += sum([self._crowds[i] for i in indexes_of(crowded)])
            self._counts[key] = known
        return known

    def count_addresses(self, classes: Classes) -> int:
        """Return how many addresses they have; exact where `is_plain`."""
        hosts = classes & self._universe.on_host_network
        if not hosts:
            return self.count_pods(classes)
        key = key_of(hosts)
        known = self._hosts.get(key)
        if known is None:
            known = self._hosts[key] = len(set(self.addresses(hosts)))
        return known + self.count_pods(classes & ~hosts)

    def heads(self, classes: Classes) -> list[bytes]:
        """Return the beginnings of entries, ``{"cidr":"10.0.0.1"``, one for each address of *classes*, each once."""
        heads = self._heads
        found: list[bytes] = []
        for i in indexes_of(classes):
            own = heads.get(i)
            if own is None:
                own = heads[i] = [b'{"cidr":' + _ENCODE(ip) for ip in self._ips[i]]
            found += own
        return list(dict.fromkeys(found)) if classes & self._universe.on_host_network else found

    def endpoints(self, classes: Classes) -> list[bytes]:
        """Return an entry of ``podSelectorEndpoints`` for each ready pod of *classes*."""
        known = self._endpoints
        found: list[bytes] = []
        for i in indexes_of(classes):
            own = known.get(i)
            if own is None:
                pods = (p for p in self._universe.classes[i].pods if address_of(p))
                own = known[i] = [_endpoint(p) for p in pods]
            found += own
        return found


def _planes(weights: list[int]) -> tuple[tuple[int, Classes], ...]:
    """Return, for each power of two, the classes whose number of pods has it: so a set is summed in a few operations."""
    powers = (1 << i for i in range(max(weights, default=0).bit_length()))
    return tuple((power, set_of([i for i, weight in enumerate(weights) if weight & power])) for power in powers)


def _addresses(pod_class: PodClass) -> tuple[str, ...]:
    ips = tuple([p.status.pod_ip for p in pod_class.pods])
    return ips if all(ips) else tuple([ip for ip in map(address_of, pod_class.pods) if ip])


def _endpoint(pod: Pod) -> bytes:
    status, meta = pod.status, pod.metadata
    parts = (_ENCODE(status.host_ip), _ENCODE(meta.name), _ENCODE(meta.namespace), _ENCODE(address_of(pod)))
    return b'{"hostIP":%b,"name":%b,"namespace":%b,"podIP":%b}' % parts
