"""NetworkPolicies as policies of a stack, as their specification has them: every engine's reader puts them among its own.

What an engine does otherwise with them is said by its own reader. Where a policy isolates in one direction alone, its rules of
the other one mean nothing, as specified. Selectors mean pods of the pod network: pods on the host network are nodes to policies.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from eksnetpol.model.findings import Subject
from eksnetpol.model.policies import EgressRule, IngressRule, NetworkPolicy, PolicyPeer, PolicyPort
from eksnetpol.model.selectors import LabelSelector, Operator, Requirement
from eksnetpol.policy.addresses import parse_cidr
from eksnetpol.policy.connections import EVERYTHING, NOTHING, WITH_PORTS, Connections
from eksnetpol.policy.ports import PortSet
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.stacks.formulas import (
    EVERYBODY,
    NOBODY,
    And,
    EndKind,
    Formula,
    Is,
    Label,
    Named,
    Not,
    Or,
    Scope,
    Test,
    Unknowable,
    Within,
)
from eksnetpol.policy.stacks.rules import Does, PortName, StackPolicy, StackRule, StackTier
from eksnetpol.policy.world import World

NETWORK_POLICY = "NetworkPolicy"

PODS = Is(frozenset({EndKind.POD}))
"""Pods of the pod network."""


def stack_tier(policies: Iterable[NetworkPolicy], world: World) -> StackTier:
    """Return NetworkPolicies as a tier without a name: what none of them allows is denied where one of them isolates."""
    return StackTier("", tuple(stack_policy(policy, world) for policy in policies), otherwise=Does.DENY)


def stack_policy(policy: NetworkPolicy, world: World) -> StackPolicy:
    """Return a NetworkPolicy as the `kubernetes` semantics of the engine have it.

    Equal peers of the policies of one *world* are one and the same formula, which is quicker to find again.
    """
    rules: list[StackRule] = []
    isolates: list[Direction] = []
    if policy.isolates_ingress:
        isolates.append(Direction.INGRESS)
        rules += _rules(policy, Direction.INGRESS, policy.spec.ingress, world)
    if policy.isolates_egress:
        isolates.append(Direction.EGRESS)
        rules += _rules(policy, Direction.EGRESS, policy.spec.egress, world)
    ref = Subject(NETWORK_POLICY, policy.name, policy.namespace)
    subject = in_namespace(policy.namespace, policy.spec.pod_selector)
    return StackPolicy(ref, subject, frozenset(isolates), tuple(rules), policy.metadata.labels)


def _rules(
    policy: NetworkPolicy, direction: Direction, written: Sequence[IngressRule | EgressRule], world: World
) -> Iterable[StackRule]:
    known = world.memo.setdefault("peers of NetworkPolicies as formulas", {})
    for number, rule in enumerate(written):
        # Absent and empty lists are the same to the API server: everybody.
        peer = any_of(peer_formula(p, policy.namespace) for p in rule.peers) if rule.peers else EVERYBODY
        connections, names = ports_of(rule.ports)
        place = f"spec.{direction.lower()}[{number}]"
        yield StackRule(
            direction, Does.ALLOW, peer=known.setdefault(peer, peer), connections=connections, names=names, place=place
        )


def peer_formula(peer: PolicyPeer, namespace: str) -> Formula:
    """Return whom a peer means in a policy of *namespace*: addresses of an ``ipBlock``, or pods by namespace *and* labels."""
    if peer.ip_block is not None:
        return block(peer.ip_block.cidr, peer.ip_block.except_)
    if peer.namespace_selector is not None:
        return pods(peer.namespace_selector, peer.pod_selector)
    return NOBODY if peer.pod_selector is None else in_namespace(namespace, peer.pod_selector)


def block(cidr: str, without: Iterable[str] = ()) -> Formula:
    """Return the addresses of *cidr* but those of *without*; pods and nodes have addresses too. No CIDR at all: nobody."""
    whole = parse_cidr(cidr)
    if whole is None:
        return NOBODY
    holes = frozenset(network for text in without if (network := parse_cidr(text)) is not None)
    inside = Within(frozenset({whole}))
    return And((inside, Not(Within(holes)))) if holes else inside


def in_namespace(namespace: str, selector: LabelSelector | None = None) -> Formula:
    """Return the pods of one namespace, those that *selector* selects."""
    return all_of((PODS, Named(Scope.NAMESPACE, frozenset({namespace})), selected(selector)))


def pods(namespaces: LabelSelector | None, selector: LabelSelector | None = None) -> Formula:
    """Return pods by the labels of their namespaces *and* their own; None selects all."""
    return all_of((PODS, selected(namespaces, Scope.NAMESPACE), selected(selector)))


def selected(selector: LabelSelector | None, scope: Scope = Scope.POD) -> Formula:
    """Return whom a label selector means; None and an empty one mean everybody."""
    if selector is None:
        return EVERYBODY
    labels = (Label(scope, key, Test.IN, frozenset({value})) for key, value in sorted(selector.match_labels.items()))
    return all_of((*labels, *(_required(one, scope) for one in selector.match_expressions)))


def _required(wanted: Requirement, scope: Scope) -> Formula:
    match wanted.operator:
        case Operator.IN:
            return Label(scope, wanted.key, Test.IN, frozenset(wanted.values))
        case Operator.NOT_IN:
            return Not(Label(scope, wanted.key, Test.IN, frozenset(wanted.values)))
        case Operator.EXISTS:
            return Label(scope, wanted.key, Test.EXISTS)
        case Operator.DOES_NOT_EXIST:
            return Not(Label(scope, wanted.key, Test.EXISTS))


NODES_OF_TODAY = "the addresses of nodes are written as they are today"
"""What is said of a rule that `nodes` was asked for."""


def nodes(selector: LabelSelector, world: World) -> Formula:
    """Return the nodes that *selector* means, by all addresses that are known of them; of none that is known nobody can tell.

    Pods on the host network are at these addresses, and meant too.
    """
    if not world.nodes:
        return Unknowable(f"the addresses of nodes with {selector}")
    names = {node.name for node in world.nodes if selector.matches(node.metadata.labels)}
    texts = {address.address for node in world.nodes if node.name in names for address in node.status.addresses}
    for pod in world.pods:
        if pod.spec.node_name in names:
            texts.add(pod.status.host_ip)
            texts |= {pod.status.pod_ip} if pod.spec.host_network else set()
    found = frozenset(network for text in texts if (network := parse_cidr(text)) is not None)
    return Within(found) if found else NOBODY


def ports_of(ports: Iterable[PolicyPort]) -> tuple[Connections, tuple[PortName, ...]]:
    """Return what ``ports`` of a rule open, by number and by name; none at all open everything, ICMP too."""
    ports = tuple(ports)
    if not ports:
        return EVERYTHING, ()
    answer = NOTHING
    names: list[PortName] = []
    for port in ports:
        if isinstance(port.port, str):
            names.append(PortName(port.port, port.protocol))
        elif port.protocol in WITH_PORTS:
            numbers = None if port.port is None else PortSet([(port.port, max(port.port, port.end_port or port.port))])
            answer = answer | Connections.only(port.protocol, numbers)
    return answer, tuple(names)


def all_of(formulas: Iterable[Formula]) -> Formula:
    """Return whoever all of *formulas* mean, without what says nothing."""
    parts: list[Formula] = []
    for formula in formulas:
        parts += formula.parts if isinstance(formula, And) else (formula,)
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def any_of(formulas: Iterable[Formula]) -> Formula:
    """Return whoever any of *formulas* means; of none, nobody."""
    parts = tuple(formulas)
    return parts[0] if len(parts) == 1 else Or(parts)
