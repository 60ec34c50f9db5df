"""What the controller makes of the rules of a policy, as sets (pkg/resolvers/endpoints.go).

A rule becomes *parts*: pods, addresses of Services, blocks, domains, each with its ports. Rules of both directions are resolved,
whatever ``policyTypes`` says. Nothing here is written out pod by pod; `eksnetpol.policy.prediction.pack` does that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

from eksnetpol.model.findings import Subject
from eksnetpol.model.policies import EVERYBODY, EgressRule, IngressRule, NetworkPolicy, PolicyPeer, PolicyPort
from eksnetpol.model.selectors import LabelSelector
from eksnetpol.policy.declared import DeclaredPorts, index_ports
from eksnetpol.policy.prediction.addresses import AddressBook
from eksnetpol.policy.prediction.ports import (
    EVERYTHING,
    ControllerStops,
    PortList,
    has_names,
    lacks_protocol,
    on_pods,
    plain,
    united,
)
from eksnetpol.policy.prediction.releases import Behaviour
from eksnetpol.policy.prediction.services import Services
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.universe import Classes, Universe, build
from eksnetpol.policy.world import World

NETWORK_POLICY, APPLICATION_POLICY = "NetworkPolicy", "ApplicationNetworkPolicy"
ALL_ADDRESSES = ("0.0.0.0/0", "::/0")
"""What a rule for everybody opens: both families, whichever the cluster has."""


class PodsPart(NamedTuple):
    """All ready pods of some classes, each by its address; ``action`` only in cluster-wide policies, here and below."""

    pods: Classes
    ports: PortList
    action: str = ""


class ServicesPart(NamedTuple):
    """Addresses of some `Services`."""

    services: Classes
    ports: PortList
    action: str = ""


class BlockPart(NamedTuple):
    """A block, as it is written."""

    cidr: str
    excepts: tuple[str, ...]
    ports: PortList
    action: str = ""


class DomainPart(NamedTuple):
    """A domain name, as it is written."""

    domain: str
    ports: PortList
    action: str = ""


Part = PodsPart | ServicesPart | BlockPart | DomainPart


class Undetermined(NamedTuple):
    """Services whose entry depends on the order in which the controller meets pods, and the ports that were asked for."""

    services: Classes
    ports: tuple[PolicyPort, ...]


class ResolvedRule(NamedTuple):
    """A rule. ``number`` is its place among the rules of its direction, from 0."""

    direction: Direction
    number: int
    parts: tuple[Part, ...]
    undetermined: tuple[Undetermined, ...] = ()


class ResolvedPolicy(NamedTuple):
    """A policy: the classes it selects, of whose pods the ready ones are listed, and its rules. ``stops`` in words, where it
    ends the controller's process instead.
    """

    policy: NetworkPolicy
    kind: str
    selected: Classes
    rules: tuple[ResolvedRule, ...]
    stops: str = ""

    @property
    def subject(self) -> Subject:
        """The policy, as findings name it."""
        return Subject(self.kind, self.policy.name, self.policy.namespace)

    def parts(self, direction: Direction) -> Iterator[Part]:
        """Yield what its rules of one direction open, in the order in which the controller lists it."""
        for rule in self.rules:
            if rule.direction is direction:
                yield from rule.parts


@dataclass(frozen=True)
class Resolver:
    """Resolves the policies of a world as one release of the controller does.

    ``universe`` must hold all pods of the world with all labels that any selector, of policies or Services, asks for; classes of
    finished pods count for the ports of Services only.
    """

    world: World
    behaviour: Behaviour
    universe: Universe

    @classmethod
    def of(cls, world: World, behaviour: Behaviour, universe: Universe | None = None) -> Resolver:
        """Return the resolver for *world*."""
        return cls(world, behaviour, universe or build(world.pods, world.namespaces))

    @cached_property
    def book(self) -> AddressBook:
        """The addresses of pods."""
        return AddressBook(self.universe, lists_finished=self.behaviour.lists_finished)

    @cached_property
    def services(self) -> Services:
        """The Services."""
        return Services(self.world.services, self.world.namespaces, self.universe, self.behaviour)

    @cached_property
    def declared(self) -> DeclaredPorts:
        """The ports that containers declare."""
        return index_ports(self.universe)

    @cached_property
    def service_addresses(self) -> frozenset[str]:
        """The addresses of Services."""
        return frozenset(s.spec.cluster_ip for s in self.services.members)

    @cached_property
    def is_plain(self) -> bool:
        """True when no address is that of two: of pods (but on the host network of one node), of Services, or of both."""
        addresses = self.service_addresses
        unique = len(addresses) == len(self.services.members)
        return unique and self.book.is_plain and addresses.isdisjoint(self.book.taken)

    def resolve(self, policy: NetworkPolicy, kind: str = NETWORK_POLICY) -> ResolvedPolicy:
        """Return what becomes of *policy*, a NetworkPolicy or an ApplicationNetworkPolicy."""
        spec = policy.spec
        matching = self.universe.select_in(policy.metadata.namespace, spec.pod_selector) & self.book.ready
        selected = matching if self.behaviour.lists_host_network else matching & ~self.universe.on_host_network
        is_aws = kind == APPLICATION_POLICY
        rules: list[ResolvedRule] = []
        try:
            for number, incoming in enumerate(spec.ingress):
                parts = tuple(self.ingress(policy, incoming, matching, is_aws=is_aws))
                rules.append(ResolvedRule(Direction.INGRESS, number, parts))
            for number, outgoing in enumerate(spec.egress):
                rules.append(self.egress(policy, outgoing, number, is_aws=is_aws))
        except ControllerStops as stop:
            return ResolvedPolicy(policy, kind, selected, (), str(stop))
        return ResolvedPolicy(policy, kind, selected, tuple(rules))

    def finds_namespace(self, selector: LabelSelector) -> bool:
        """Say whether *selector* matches any namespace, with or without pods."""
        return any(selector.matches(labels) for labels in self.universe.namespace_labels.values())

    # --- ingress ------------------------------------------------------------------------------------------------------

    def ingress(self, policy: NetworkPolicy, rule: IngressRule, matching: Classes, *, is_aws: bool) -> Iterator[Part]:
        """Yield what an ingress *rule* opens. *matching* are the ready pods of the policy, on the host network too.

        Ports are worked out once for all peers: names on every pod of the policy, what is found there opening for all of them.
        """
        ports = self.ingress_ports(rule.ports, matching, is_aws=is_aws)
        if rule.ports and not ports:
            return
        if not rule.peers:
            if rule.peers is EVERYBODY or not is_aws:
                for cidr in ALL_ADDRESSES:
                    yield BlockPart(cidr, (), ports)
            return
        for peer in rule.peers:
            if peer.ip_block is not None:
                yield BlockPart(peer.ip_block.cidr, peer.ip_block.except_, ports)
                continue
            pods = self.pods_of(peer, policy.metadata.namespace)
            if pods:
                yield PodsPart(pods, ports)

    def ingress_ports(self, ports: tuple[PolicyPort, ...], matching: Classes, *, is_aws: bool) -> PortList:
        """Return the ports of an ingress rule; with a name among them, they are looked up on *matching* pods.

        Raises `ControllerStops` where a port without protocol does that.
        """
        if not ports:
            return EVERYTHING
        if has_names(ports):
            if is_aws and matching and lacks_protocol(ports, with_port=True):
                raise ControllerStops("a port of an ingress rule has no protocol")
            return united(ports, matching, self.declared)
        if is_aws and lacks_protocol(ports):
            raise ControllerStops("a port of an ingress rule has no protocol")
        return plain(ports)

    def pods_of(self, peer: PolicyPeer, namespace: str) -> Classes:
        """Return the pods that a *peer* by selectors means, on the host network too; without any selector its own namespace."""
        if peer.namespace_selector is None:
            within = self.universe.in_namespace.get(namespace, 0)
        else:
            within = self.universe.select_namespaces(peer.namespace_selector)
        within &= self.book.ready
        return within if peer.pod_selector is None or not within else self.universe.select(peer.pod_selector, within)

    # --- egress -------------------------------------------------------------------------------------------------------

    def egress(self, policy: NetworkPolicy, rule: EgressRule, number: int, *, is_aws: bool) -> ResolvedRule:
        """Return what an egress *rule* opens: pods by their own ports, Services before them, blocks, domains."""
        if not rule.peers:
            # An ApplicationNetworkPolicy's rule without ``to`` is dropped, written or not.
            everywhere = () if is_aws else tuple(self._everywhere(rule))
            return ResolvedRule(Direction.EGRESS, number, everywhere)
        peers = [p for p in rule.peers if not p.domain_names] if is_aws else list(rule.peers)
        if peers and is_aws and lacks_protocol(rule.ports):
            raise ControllerStops("a port of an egress rule has no protocol")
        parts: list[Part] = []
        unsure: list[Undetermined] = []
        for peer in peers:
            self.add_egress_peer(policy.metadata.namespace, peer, rule.ports, parts, unsure)
        if is_aws:
            ports = tuple((p.protocol, p.port if isinstance(p.port, int) else None, p.end_port) for p in rule.ports)
            parts.extend(DomainPart(d, ports) for p in rule.peers for d in p.domain_names)
        return ResolvedRule(Direction.EGRESS, number, tuple(parts), tuple(unsure))

    def add_egress_peer(
        self,
        namespace: str,
        peer: PolicyPeer,
        ports: tuple[PolicyPort, ...],
        parts: list[Part],
        unsure: list[Undetermined],
        action: str = "",
    ) -> None:
        """Add to *parts* what *peer* of a rule with *ports* opens, and to *unsure* what of it is left to chance."""
        if peer.ip_block is not None:
            own = plain(ports)
            if own or not ports:
                parts.append(BlockPart(peer.ip_block.cidr, peer.ip_block.except_, own, action))
            return
        pods = self.pods_of(peer, namespace)
        if pods:
            if has_names(ports):
                parts.extend(PodsPart(classes, own, action) for own, classes in on_pods(ports, pods, self.declared))
            else:
                parts.append(PodsPart(pods, _with_ends(ports), action))
        services = self.services.meant_by(peer, namespace)
        if services:
            parts.extend(ServicesPart(some, own, action) for own, some in self.services.opened(services, ports))
            doubtful = self.services.undetermined(services, ports)
            if doubtful:
                unsure.append(Undetermined(doubtful, ports))

    def _everywhere(self, rule: EgressRule) -> Iterator[Part]:
        ports = plain(rule.ports)
        if ports or not rule.ports:
            for cidr in ALL_ADDRESSES:
                yield BlockPart(cidr, (), ports)


@lru_cache(maxsize=1 << 14)
def _with_ends(ports: tuple[PolicyPort, ...]) -> PortList:
    # As `plain`, but for pods the controller passes ``endPort`` on even where there is no port.
    return tuple((p.protocol, p.port if isinstance(p.port, int) else None, p.end_port) for p in ports)
