"""What the controller makes of ClusterNetworkPolicies (pkg/resolvers/clusternetworkpolicy_resolver.go).

Each rule becomes a NetworkPolicy for a moment and is resolved as one. In ingress the namespaces of the *first* peer decide
whether a rule is resolved at all; in egress any peer does that finds a namespace or is a block. A named port has no protocol
there, which ends the controller's process.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from eksnetpol.model.cluster_rules import (
    Action,
    ClusterEgressRule,
    ClusterIngressRule,
    ClusterPeer,
    ClusterPort,
    ClusterRules,
    read_cluster_policy,
)
from eksnetpol.model.findings import Subject
from eksnetpol.model.policies import ClusterNetworkPolicy, IPBlock, PolicyPeer, PolicyPort
from eksnetpol.model.selectors import LabelSelector
from eksnetpol.policy.prediction.ports import ControllerStops, PortList, plain
from eksnetpol.policy.prediction.resolve import DomainPart, Part, PodsPart, ResolvedRule, Resolver, Undetermined
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.universe import Classes

KIND = "ClusterNetworkPolicy"


class ResolvedClusterPolicy(NamedTuple):
    """As `ResolvedPolicy`, for the whole cluster. ``problem`` in words, where its rules have no shape that the API accepts."""

    policy: ClusterNetworkPolicy
    selected: Classes
    rules: tuple[ResolvedRule, ...]
    stops: str = ""
    problem: str = ""

    @property
    def subject(self) -> Subject:
        """The policy, as findings name it."""
        return Subject(KIND, self.policy.metadata.name)


def resolve_cluster_policy(resolver: Resolver, policy: ClusterNetworkPolicy) -> ResolvedClusterPolicy:
    """Return what becomes of *policy*."""
    try:
        spec = read_cluster_policy(policy)
    except ValueError as error:
        return ResolvedClusterPolicy(policy, 0, (), problem=str(error))
    selected = _subjects(resolver, spec)
    rules: list[ResolvedRule] = []
    try:
        for number, incoming in enumerate(spec.ingress):
            rules.append(ResolvedRule(Direction.INGRESS, number, _ingress(resolver, incoming)))
        for number, outgoing in enumerate(spec.egress):
            rules.append(_egress(resolver, outgoing, number))
    except ControllerStops as stop:
        return ResolvedClusterPolicy(policy, selected, (), stops=str(stop))
    return ResolvedClusterPolicy(policy, selected, tuple(rules))


def _subjects(resolver: Resolver, spec: ClusterRules) -> Classes:
    universe, subject = resolver.universe, spec.subject
    if subject.namespaces is not None:
        found = universe.select_namespaces(subject.namespaces)
    elif subject.pods is not None:
        within = universe.select_namespaces(subject.pods.namespace_selector)
        found = universe.select(subject.pods.pod_selector, within)
    else:
        return 0
    found &= resolver.book.ready
    return found if resolver.behaviour.lists_host_network else found & ~universe.on_host_network


def _ingress(resolver: Resolver, rule: ClusterIngressRule) -> tuple[Part, ...]:
    first = _namespaces(rule.peers[0]) if rule.peers else None
    if first is None or not resolver.finds_namespace(first):
        return ()
    if _has_names(rule.ports):
        if resolver.universe.select_namespaces(first) & resolver.book.ready:
            raise ControllerStops("a named port of an ingress rule has no protocol")
        # Nobody there has ports to look the name up on, so the rule opens nothing.
        return ()
    ports = ports_of(rule.ports)
    plain_ports = plain(ports)
    found = (resolver.pods_of(peer, "") for peer in map(peer_of, rule.peers) if peer is not None)
    return tuple(PodsPart(pods, plain_ports, rule.action.value) for pods in found if pods)


def _egress(resolver: Resolver, rule: ClusterEgressRule, number: int) -> ResolvedRule:
    ports = ports_of(rule.ports)
    action = rule.action.value
    parts: list[Part] = []
    unsure: list[Undetermined] = []
    if any(_is_resolved(resolver, peer) for peer in rule.peers):
        if _has_names(rule.ports):
            raise ControllerStops("a named port of an egress rule has no protocol")
        for peer in rule.peers:
            for block in peer.networks:
                resolver.add_egress_peer("", PolicyPeer(ip_block=IPBlock(block)), ports, parts, unsure, action)
            selecting = peer_of(peer)
            if selecting is not None:
                resolver.add_egress_peer("", selecting, ports, parts, unsure, action)
    if rule.action is not Action.DENY:
        # A name is dropped here and leaves no port, and that is every port.
        own: PortList = plain(tuple(p for p in ports if not isinstance(p.port, str)))
        parts.extend(DomainPart(d, own, action) for peer in rule.peers if not _is_other(peer) for d in peer.domain_names)
    return ResolvedRule(Direction.EGRESS, number, tuple(parts), tuple(unsure))


def _is_other(peer: ClusterPeer) -> bool:
    return bool(peer.networks) or peer.namespaces is not None or peer.pods is not None


def _is_resolved(resolver: Resolver, peer: ClusterPeer) -> bool:
    if peer.networks:
        return True
    selector = _namespaces(peer)
    return selector is not None and resolver.finds_namespace(selector)


def _namespaces(peer: ClusterPeer) -> LabelSelector | None:
    if peer.namespaces is not None:
        return peer.namespaces
    return peer.pods.namespace_selector if peer.pods is not None else None


def peer_of(peer: ClusterPeer) -> PolicyPeer | None:
    """Return a peer by selectors as NetworkPolicies write it; None where it names none."""
    if peer.pods is not None:
        return PolicyPeer(peer.pods.pod_selector, peer.pods.namespace_selector)
    return PolicyPeer(namespace_selector=peer.namespaces) if peer.namespaces is not None else None


def _has_names(ports: Iterable[ClusterPort]) -> bool:
    return any(p.named_port for p in ports)


def ports_of(ports: Iterable[ClusterPort]) -> tuple[PolicyPort, ...]:
    """Return ports as NetworkPolicies write them."""
    found: list[PolicyPort] = []
    for port in ports:
        if port.port_number is not None:
            found.append(PolicyPort(port.port_number.protocol, port.port_number.port))
        if port.port_range is not None:
            found.append(PolicyPort(port.port_range.protocol, port.port_range.start, port.port_range.end))
        if port.named_port:
            found.append(PolicyPort(port=port.named_port))
    return tuple(found)
