"""NetworkPolicies as Cilium enforces them, where that is not what Kubernetes says.

Blocks mean no pods and no nodes; labels that are no part of an identity are nobody's; rules that are there are enforced in a
direction that ``policyTypes`` does not name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from eksnetpol.engines.cilium.peers import Peers
from eksnetpol.engines.cilium.ports import check_ranges
from eksnetpol.engines.kubernetes_policies import NETWORK_POLICY, in_namespace, ports_of
from eksnetpol.model.findings import Subject
from eksnetpol.model.policies import EgressRule, IngressRule, NetworkPolicy, PolicyPeer
from eksnetpol.policy.addresses import parse_cidr
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.stacks.algebra import conjunction, disjunction
from eksnetpol.policy.stacks.formulas import EVERYBODY, NOBODY, Formula
from eksnetpol.policy.stacks.rules import Does, PortName, StackPolicy, StackRule


def stack_policy(policy: NetworkPolicy, peers: Peers) -> StackPolicy:
    """Return a NetworkPolicy as Cilium has it; *peers* are those of its namespace. Raises `FaultError`."""
    isolates = {
        direction
        for direction, is_named, rules in (
            (Direction.INGRESS, policy.isolates_ingress, policy.spec.ingress),
            (Direction.EGRESS, policy.isolates_egress, policy.spec.egress),
        )
        if is_named or rules
    }
    written: tuple[tuple[Direction, Sequence[IngressRule | EgressRule]], ...] = (
        (Direction.INGRESS, policy.spec.ingress),
        (Direction.EGRESS, policy.spec.egress),
    )
    rules = (rule for direction, some in written for rule in _rules(direction, some, peers))
    selected = peers.selectors.of_kubernetes(policy.spec.pod_selector, "spec.podSelector")
    subject = conjunction(in_namespace(policy.namespace), *selected)
    ref = Subject(NETWORK_POLICY, policy.name, policy.namespace)
    return StackPolicy(ref, subject, frozenset(isolates), tuple(rules), policy.metadata.labels)


def _rules(direction: Direction, written: Iterable[IngressRule | EgressRule], peers: Peers) -> Iterator[StackRule]:
    for number, rule in enumerate(written):
        place = f"spec.{direction.lower()}[{number}]"
        peer = disjunction(*(_peer(p, peers, place) for p in rule.peers)) if rule.peers else EVERYBODY
        for at, port in enumerate(rule.ports):
            if port.end_port is not None and isinstance(port.port, int) and port.port < port.end_port:
                check_ranges(peers.identities.settings, f"{place}.ports[{at}].endPort")
        connections, names = ports_of(rule.ports)
        names = tuple(PortName(name.name.lower(), name.protocol) for name in names)
        yield StackRule(direction, Does.ALLOW, peer=peer, connections=connections, names=names, place=place)


def _peer(peer: PolicyPeer, peers: Peers, place: str) -> Formula:
    if peer.ip_block is None:
        # A peer that says nothing at all means the pods of the own namespace.
        return peers.selectors.kubernetes(peer.namespace_selector, peer.pod_selector, place)
    whole = parse_cidr(peer.ip_block.cidr)
    if whole is None:
        return NOBODY
    holes = (parse_cidr(text) for text in peer.ip_block.except_)
    return peers.block(frozenset({whole}), frozenset(hole for hole in holes if hole is not None))
