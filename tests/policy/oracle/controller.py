"""What the policy controller resolves a policy to, entry by entry, and what it may resolve to where it tosses a coin."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import product
from typing import NamedTuple

from eksnetpol.model.cluster_rules import Action, ClusterPeer, ClusterRules, NamespacedPods
from eksnetpol.model.kubernetes import Pod, Service, ServicePort
from eksnetpol.model.policies import EVERYBODY, NetworkPolicy, PolicyPeer, PolicyPort
from eksnetpol.model.selectors import LabelSelector
from eksnetpol.policy.agent_map import Entry
from eksnetpol.policy.dataplane_admin import ClusterEntry
from eksnetpol.policy.slots import Slot
from tests.policy.oracle.plain import Cluster, declared, named, selects

EVERYWHERE = ("0.0.0.0/0", "::/0")


class Toss(NamedTuple):
    """Entries that are written one way or another, at random."""

    ways: tuple[tuple[Entry, ...], ...]


class Controller:
    """Resolves policies of one cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def selected(self, policy: NetworkPolicy) -> list[Pod]:
        """Return the pods a policy is enforced on: not those on the host network."""
        return [p for p in self._of(policy) if not p.spec.host_network]

    def _of(self, policy: NetworkPolicy) -> list[Pod]:
        running = [place.pod for place in self.cluster.pods() if place.pod is not None]
        return [p for p in running if p.namespace == policy.namespace and selects(policy.spec.pod_selector, p.labels)]

    def isolates(self, policy: NetworkPolicy, *, is_aws: bool) -> frozenset[str]:
        """Return ``podIsolation``: defaults are the API server's, which it fills in for NetworkPolicies only."""
        types = policy.spec.policy_types
        if types or is_aws:
            return frozenset(types)
        return frozenset({"Ingress", "Egress"} if policy.spec.egress else {"Ingress"})

    # --- ingress ------------------------------------------------------------------------------------------------------

    def ingress(self, policy: NetworkPolicy, *, is_aws: bool) -> list[Entry]:
        """Resolve the ingress rules, whatever ``policyTypes`` says."""
        found = []
        for rule in policy.spec.ingress:
            slots = self._ingress_slots(policy, rule.ports)
            if slots is None:
                continue
            if not rule.peers and (rule.peers is EVERYBODY or not is_aws):
                found += [Entry(cidr, (), tuple(slots)) for cidr in EVERYWHERE]
            for peer in rule.peers:
                found += self._peer(policy, peer, lambda _, slots=slots: slots, slots)  # type: ignore[misc]
        return found

    def _ingress_slots(self, policy: NetworkPolicy, ports: Sequence[PolicyPort]) -> list[Slot] | None:
        if not ports:
            return []
        if not any(isinstance(p.port, str) for p in ports):
            return [slot(p, p.port) for p in ports]
        # Every name is looked up on every pod of the policy, and what is found holds for all of them.
        found = [s for pod in self._of(policy) for s in self._on(pod, ports)]
        return found or None

    def _on(self, pod: Pod, ports: Iterable[PolicyPort]) -> list[Slot]:
        found = []
        for port in ports:
            if isinstance(port.port, str):
                number = named(pod, port.protocol, port.port, with_sidecars=False)
                if number is None:
                    continue
                found.append(slot(port, number))
            else:
                found.append(slot(port, port.port))
        return found

    def _peer(
        self, policy: NetworkPolicy, peer: PolicyPeer, on: Callable[[Pod], list[Slot] | None], on_block: list[Slot] | None
    ) -> Iterator[Entry]:
        if peer.ip_block is not None:
            if on_block is not None:
                yield Entry(peer.ip_block.cidr, peer.ip_block.except_, tuple(on_block))
            return
        for place in self.cluster.pods():
            if place.pod is not None and self._is_peer(policy.namespace, peer, place.pod):
                slots = on(place.pod)
                if slots is not None:
                    yield Entry(place.address, (), tuple(slots))

    def _is_peer(self, own: str, peer: PolicyPeer, pod: Pod) -> bool:
        return self._is_near(own, peer, pod.namespace) and (
            peer.pod_selector is None or selects(peer.pod_selector, pod.labels)
        )

    def _is_near(self, own: str, peer: PolicyPeer, namespace: str) -> bool:
        if peer.pod_selector is None and peer.namespace_selector is None:
            return False
        if peer.namespace_selector is None:
            return namespace == own
        return selects(peer.namespace_selector, self.cluster.namespaces[namespace])

    # --- egress -------------------------------------------------------------------------------------------------------

    def egress(self, policy: NetworkPolicy, *, is_aws: bool) -> tuple[list[Entry], list[Toss]]:
        """Resolve the egress rules: what is sure, and what chance decides."""
        found: list[Entry] = []
        tosses: list[Toss] = []
        for rule in policy.spec.egress:
            plain = [slot(p, p.port) for p in rule.ports if not isinstance(p.port, str)]
            on_block = plain if plain or not rule.ports else None
            if not rule.peers and not is_aws and on_block is not None:
                found += [Entry(cidr, (), tuple(on_block)) for cidr in EVERYWHERE]

            def on(pod: Pod, ports: Sequence[PolicyPort] = rule.ports) -> list[Slot] | None:
                slots = self._on(pod, ports)
                return slots if slots or not ports else None

            for peer in rule.peers:
                found += self._peer(policy, peer, on, on_block)
                if peer.ip_block is None:
                    for service in self.cluster.world.services:
                        if self._is_near(policy.namespace, peer, service.namespace):
                            selector = peer.pod_selector or LabelSelector()
                            tosses += self._service(selector, rule.ports, service)
        sure = [toss for toss in tosses if len(toss.ways) == 1]
        return found + [e for toss in sure for e in toss.ways[0]], [toss for toss in tosses if len(toss.ways) > 1]

    def _service(self, selector: LabelSelector, ports: Sequence[PolicyPort], service: Service) -> Iterator[Toss]:
        address = self.cluster.address_of(service)
        if address is None or not selects(selector, service.spec.selector):
            return
        if not ports:
            yield Toss(((Entry(address),),))
            return
        options: list[list[Slot | None]] = []
        for port in ports:
            if port.port is None:
                options.append([slot(port, None)])
            else:
                numbers = self._leading(port, ports, service)
                options.append([None if n is None else slot(port, n) for n in numbers])
        ways = {tuple(s for s in way if s is not None) for way in product(*options)}
        yield Toss(tuple((Entry(address, (), way),) if way else () for way in sorted(ways, key=str)))

    def _leading(self, port: PolicyPort, ports: Sequence[PolicyPort], service: Service) -> list[int | None]:
        """Return the Service ports that a port of a rule may be taken for; None: it opens none."""
        pods = [
            p for p in self.cluster.world.pods
            if p.namespace == service.namespace and all(p.labels.get(k) == v for k, v in service.spec.selector.items())
        ]  # fmt: skip
        offered = [(o, o.port if o.target_port is None else o.target_port) for o in service.spec.ports]
        found = [o for o, target in offered if o.protocol == port.protocol and target == port.port][:1]
        if not found:
            for pod in pods:
                met = self._by_pod(port, pod, service)
                found += [met] if met is not None and met not in found else []
        numbers: list[int | None] = []
        for offer in found:
            guarded = isinstance(port.port, int) and isinstance(offer.target_port, str)
            is_bypass = guarded and any(self._bypasses(str(offer.target_port), port.protocol, ports, p) for p in pods)
            numbers.append(None if is_bypass else offer.port)
        return numbers or [None]

    def _by_pod(self, port: PolicyPort, pod: Pod, service: Service) -> ServicePort | None:
        """Return the Service port that leads to a port of the rule, by what one pod declares."""
        known = declared(pod, with_sidecars=False)
        if isinstance(port.port, str):
            number = named(pod, port.protocol, port.port, with_sidecars=False)
            name = port.port
        else:
            number = port.port
            name = next((own for p, own, n in known if (p, n) == (port.protocol, port.port)), "")
        if number is None:
            return None
        for offer in service.spec.ports:
            target = offer.port if offer.target_port is None else offer.target_port
            if offer.protocol == port.protocol and (target == name if isinstance(target, str) else target == number):
                return offer
        return None

    def _bypasses(self, name: str, protocol: str, ports: Sequence[PolicyPort], pod: Pod) -> bool:
        """Say whether a pod behind the Service gives the name a number that the rule does not allow."""
        number = named(pod, protocol, name, with_sidecars=False)
        if number is None:
            return False
        for port in ports:
            if port.protocol != protocol or isinstance(port.port, str):
                continue
            if port.port is None or port.port <= number <= (port.end_port or port.port):
                return False
        return True

    # --- policies for the whole cluster -------------------------------------------------------------------------------

    def subjects(self, rules: ClusterRules) -> list[Pod]:
        """Return the pods a ClusterNetworkPolicy is enforced on."""
        who = rules.subject
        found = []
        for place in self.cluster.pods():
            pod = place.pod
            if pod is None or pod.spec.host_network:
                continue
            if who.namespaces is not None:
                mine = selects(who.namespaces, self.cluster.namespaces[pod.namespace])
            else:
                mine = who.pods is not None and self._is_one_of(who.pods, pod)
            if mine:
                found.append(pod)
        return found

    def _is_one_of(self, pods: NamespacedPods, pod: Pod) -> bool:
        return selects(pods.namespace_selector, self.cluster.namespaces[pod.namespace]) and selects(
            pods.pod_selector, pod.labels
        )

    def cluster_entries(self, rules: ClusterRules, direction: str) -> list[ClusterEntry]:
        """Resolve one direction of a ClusterNetworkPolicy. Its ports are numbers: a name would end the controller."""
        found = []
        for rule in rules.ingress if direction == "Ingress" else rules.egress:
            if direction == "Ingress" and not self._has_namespace(rule.peers[0]):
                continue
            matches = rule.matches
            slots = [] if matches is None else [cluster_slot(m.protocol, m.low, m.high) for m in matches]
            for peer in rule.peers:
                found += [self._entry(rules, rule.action, address, slots) for address in self._addresses(peer)]
                if direction == "Egress":
                    ports = tuple(PolicyPort(s.protocol or "", s.port, s.end_port) for s in slots)
                    found += [
                        self._entry(rules, rule.action, entry.cidr, list(entry.ports))
                        for service in self.cluster.world.services
                        for toss in self._cluster_service(peer, ports, service)
                        for entry in toss.ways[0]
                    ]
        return found

    def _entry(self, rules: ClusterRules, action: Action, cidr: str, slots: list[Slot]) -> ClusterEntry:
        return ClusterEntry(rules.tier, rules.priority, action, cidr, tuple(slots))

    def _has_namespace(self, peer: ClusterPeer) -> bool:
        selector = peer.namespaces if peer.pods is None else peer.pods.namespace_selector
        return selector is not None and any(selects(selector, labels) for labels in self.cluster.namespaces.values())

    def _addresses(self, peer: ClusterPeer) -> Iterator[str]:
        yield from peer.networks
        for place in self.cluster.pods():
            pod = place.pod
            if pod is None:
                continue
            if peer.namespaces is not None:
                if selects(peer.namespaces, self.cluster.namespaces[pod.namespace]):
                    yield place.address
            elif peer.pods is not None and self._is_one_of(peer.pods, pod):
                yield place.address

    def _cluster_service(self, peer: ClusterPeer, ports: tuple[PolicyPort, ...], service: Service) -> Iterator[Toss]:
        labels = self.cluster.namespaces[service.namespace]
        if peer.namespaces is not None and selects(peer.namespaces, labels):
            yield from self._service(LabelSelector(), ports, service)
        elif peer.pods is not None and selects(peer.pods.namespace_selector, labels):
            yield from self._service(peer.pods.pod_selector, ports, service)


def slot(port: PolicyPort, number: int | str | None) -> Slot:
    """Return a port of a rule with its number found; ``endPort`` goes along as it is."""
    return Slot(port.protocol, number if isinstance(number, int) else None, port.end_port)


def cluster_slot(protocol: str, low: int, high: int) -> Slot:
    """Return a port of a cluster policy: a number, or a range."""
    return Slot(protocol, low, None if low == high else high)
