"""Which addresses of Services an egress peer opens, and at which of their ports.

The node agent sees packets before kube-proxy turns a Service's address into a pod's, so the controller opens both. It holds the
peer's ``podSelector`` against what a Service selects *by*, not against the pods behind it, and it looks for one port of the
Service that leads to each port of the rule (pkg/resolvers/endpoints.go, pkg/k8s/service_utils.go).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from eksnetpol.model.kubernetes import Container, Namespace, Service
from eksnetpol.model.policies import PolicyPeer, PolicyPort
from eksnetpol.model.selectors import LabelSelector
from eksnetpol.policy.prediction.ports import Partition, PortList, look_up
from eksnetpol.policy.prediction.releases import Behaviour
from eksnetpol.policy.universe import Classes, PodClass, Universe, index_classes, indexes_of, key_of, set_of

Answer = PortList | None
"""The ports that an entry for a Service has; None where it gets no entry."""

_Ports = tuple[PolicyPort, ...]
_Found = tuple[int | None, ...]


class Services:
    """The Services that have an address of their own, as sets: bit *i* is ``members[i]``."""

    def __init__(
        self, services: Iterable[Service], namespaces: Iterable[Namespace], universe: Universe, behaviour: Behaviour
    ) -> None:
        self.members = tuple(s for s in services if s.spec.cluster_ip not in {"", "None"})
        self._universe = universe
        self._behaviour = behaviour
        # What a Service selects by stands where a pod's labels do, so the index of pods answers for Services too.
        self._index = index_services(self.members, namespaces)
        self._behind: dict[int, tuple[tuple[Container, ...], ...]] = {}
        self._answers: dict[_Ports, dict[int, tuple[Answer, ...]]] = {}
        self._partitions: dict[tuple[bytes, _Ports], Partition] = {}

    def meant_by(self, peer: PolicyPeer, namespace: str) -> Classes:
        """Return the Services that *peer*, of a policy in *namespace*, means. An empty selector means those without one too."""
        return services_meant(self._index, peer, namespace)

    def named(self, services: Classes) -> Iterator[Service]:
        """Yield the members of a set."""
        for i in indexes_of(services):
            yield self.members[i]

    def opened(self, services: Classes, ports: _Ports) -> Partition:
        """Return what entries *services* get for a rule's *ports*; of several possible answers the first."""
        if not ports:
            return (((), services),) if services else ()
        key = (key_of(services), ports)
        known = self._partitions.get(key)
        if known is None:
            found: dict[PortList, list[int]] = {}
            for i in indexes_of(services):
                answer = self.answers(i, ports)[0]
                if answer is not None:
                    found.setdefault(answer, []).append(i)
            known = self._partitions[key] = tuple((answer, set_of(indexes)) for answer, indexes in found.items())
        return known

    def undetermined(self, services: Classes, ports: _Ports) -> Classes:
        """Return those of *services* for which the controller's answer depends on the order in which it meets pods."""
        if not ports:
            return 0
        return set_of(i for i in indexes_of(services) if len(self.answers(i, ports)) > 1)

    def answers(self, index: int, ports: _Ports) -> tuple[Answer, ...]:
        """Return the possible answers for a Service: one, but where the pods behind it disagree on what leads where."""
        known = self._answers.setdefault(ports, {})
        if index not in known:
            known[index] = self._work_out(index, ports)
        return known[index]

    def _work_out(self, index: int, ports: _Ports) -> tuple[Answer, ...]:
        service = self.members[index]
        direct = tuple(_direct(service, p) for p in ports)
        asked = [i for i, p in enumerate(ports) if p.port is not None and direct[i] is None]
        outcomes: Iterable[_Found] = (direct,)
        if asked:
            views = (self._view(service, ports, direct, containers) for containers in self._pods_behind(index))
            outcomes = _outcomes(direct, tuple(dict.fromkeys(views)))
        answers = (self._entry(index, ports, found) for found in outcomes)
        return tuple(dict.fromkeys(answers))

    def _pods_behind(self, index: int) -> tuple[tuple[Container, ...], ...]:
        """Return the different containers of the pods a Service selects, in any phase; without a selector, of all pods."""
        known = self._behind.get(index)
        if known is None:
            service = self.members[index]
            classes = self._universe.select_in(service.namespace, LabelSelector(service.spec.selector))
            alike = {id(c.containers): c.containers for c in self._universe.members(classes)}
            known = self._behind[index] = tuple(alike.values())
        return known

    def _view(self, service: Service, ports: _Ports, direct: _Found, containers: tuple[Container, ...]) -> _Found:
        """Return the port of *service* that leads to each of *ports*, were the pod with these containers asked first."""
        return tuple(
            found if found is not None or p.port is None else _by_pod(service, p, containers)
            for p, found in zip(ports, direct, strict=True)
        )

    def _entry(self, index: int, ports: _Ports, found: _Found) -> Answer:
        entry: list[tuple[str, int | None, int | None]] = []
        for port, number in zip(ports, found, strict=True):
            protocol = port.protocol if port.says_protocol or port.port is not None else ""
            if port.port is None:
                entry.append((protocol, None, port.end_port))
            elif number is not None and not (isinstance(port.port, int) and self._leads_astray(index, number, port, ports)):
                entry.append((protocol, number, port.end_port))
        return tuple(entry) or None

    def _leads_astray(self, index: int, number: int, port: PolicyPort, ports: _Ports) -> bool:
        """Say whether the guard drops a Service's port: its target is a name that some pod gives a number no rule lists."""
        if not self._behaviour.is_guarded:
            return False
        offers = self.members[index].spec.ports
        same = (o for o in offers if o.port == number and o.protocol == port.protocol and isinstance(o.target_port, str))
        offer = next(same, None)
        if offer is None or not offer.target_port:
            return False
        name = str(offer.target_port)
        for containers in self._pods_behind(index):
            named = (d for c in containers for d in c.ports if d.name == name)
            if self._behaviour.guards_first_only:
                first = next((d for d in named if d.protocol == port.protocol), None)
                if first is not None and not _lists(ports, first.protocol, first.container_port):
                    return True
            elif any(not _lists(ports, d.protocol, d.container_port) for d in named):
                return True
        return False


def index_services(services: Sequence[Service], namespaces: Iterable[Namespace]) -> Universe:
    """Return *services* by number as the controller holds selectors against them: by what they select by."""
    return index_classes(tuple(_as_class(i, s) for i, s in enumerate(services)), namespaces)


def services_meant(index: Universe, peer: PolicyPeer, namespace: str) -> Classes:
    """Return the Services of *index* (see `index_services`) that *peer*, of a policy in *namespace*, means by its selectors."""
    if peer.namespace_selector is None:
        within = index.in_namespace.get(namespace, 0)
    else:
        within = index.select_namespaces(peer.namespace_selector)
    return within if peer.pod_selector is None or not within else index.select(peer.pod_selector, within)


def _as_class(index: int, service: Service) -> PodClass:
    return PodClass(
        index=index,
        namespace=service.namespace,
        labels=service.spec.selector,
        containers=(),
        init_containers=(),
        service_account="",
        mounts_token=False,
        host_network=False,
        is_owned=False,
        is_terminal=False,
        pods=(),
    )


def _direct(service: Service, port: PolicyPort) -> int | None:
    """Return the first port of *service* whose target is written as the rule writes its port."""
    if port.port is None:
        return None
    for offer in service.spec.ports:
        target = offer.port if offer.target_port is None else offer.target_port
        if type(target) is type(port.port) and target == port.port and offer.protocol == port.protocol:
            return offer.port
    return None


def _by_pod(service: Service, port: PolicyPort, containers: tuple[Container, ...]) -> int | None:
    """Return the first port of *service* that leads to what *port* is on a pod with these containers."""
    found = None if port.port is None else look_up(containers, port.port, port.protocol)
    if found is None:
        return None
    number, name = found
    for offer in service.spec.ports:
        if offer.protocol == port.protocol:
            target = offer.port if offer.target_port is None else offer.target_port
            if target == (name if isinstance(target, str) else number):
                return offer.port
    return None


def _outcomes(start: _Found, views: tuple[_Found, ...]) -> Iterator[_Found]:
    """Yield what may come out of asking pods in any order: each port keeps what the first pod said that knew an answer."""
    seen: set[_Found] = set()
    waiting = [start]
    while waiting:
        state = waiting.pop()
        after = dict.fromkeys(
            tuple(v if s is None else s for s, v in zip(state, view, strict=True)) for view in views
        )
        after.pop(state, None)
        if not after:
            yield state
        fresh = [s for s in after if s not in seen]
        seen.update(fresh)
        # The pod that was read first comes first out of the pile, so that the first outcome is the one of that order.
        waiting.extend(reversed(fresh))


def _lists(ports: _Ports, protocol: str, number: int) -> bool:
    """Say whether a rule lists *number*; an entry without a port lists all of its protocol, and names are not looked at."""
    for port in ports:
        if port.protocol != protocol or isinstance(port.port, str):
            continue
        if port.port is None or port.port <= number <= (port.port if port.end_port is None else port.end_port):
            return True
    return False
