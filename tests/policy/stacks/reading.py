"""The standard kinds as a stack, read word by word for tests: NetworkPolicies, and cluster-wide ones around them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from eksnetpol.model.cluster_rules import Action, ClusterPeer, ClusterRules, NamespacedPods, PortMatch, read_cluster_policy
from eksnetpol.model.findings import Subject
from eksnetpol.model.policies import EVERYBODY as NOT_WRITTEN
from eksnetpol.model.policies import NetworkPolicy, PolicyPeer, PolicyPort
from eksnetpol.model.selectors import LabelSelector, Operator
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
    Within,
)
from eksnetpol.policy.stacks.rules import Does, PortName, Stack, StackPolicy, StackRule, StackTier
from eksnetpol.policy.world import World

POD = Is(frozenset({EndKind.POD}))
DOES = {Action.ACCEPT: Does.ALLOW, Action.ALLOW: Does.ALLOW, Action.DENY: Does.DENY, Action.PASS: Does.PASS}


def selected(selector: LabelSelector, scope: Scope = Scope.POD) -> Formula:
    parts: list[Formula] = [Label(scope, k, Test.IN, frozenset({v})) for k, v in selector.match_labels.items()]
    for wanted in selector.match_expressions:
        listed = Label(scope, wanted.key, Test.IN, frozenset(wanted.values))
        there = Label(scope, wanted.key, Test.EXISTS)
        meaning: dict[Operator, Formula] = {
            Operator.IN: listed,
            Operator.NOT_IN: Not(listed),
            Operator.EXISTS: there,
            Operator.DOES_NOT_EXIST: Not(there),
        }
        parts.append(meaning[wanted.operator])
    return And(tuple(parts))


def within(*cidrs: str) -> Formula:
    return Within(frozenset(n for n in map(parse_cidr, cidrs) if n is not None))


def peer(one: PolicyPeer, namespace: str) -> Formula:
    if one.ip_block is not None:
        return And((within(one.ip_block.cidr), Not(within(*one.ip_block.except_))))
    if one.pod_selector is None and one.namespace_selector is None:
        return NOBODY
    near: Formula = Named(Scope.NAMESPACE, frozenset({namespace}))
    if one.namespace_selector is not None:
        near = selected(one.namespace_selector, Scope.NAMESPACE)
    return And((POD, near, selected(one.pod_selector or LabelSelector())))


def opened(ports: Iterable[PolicyPort]) -> tuple[Connections, tuple[PortName, ...]]:
    ports = tuple(ports)
    if not ports:
        return EVERYTHING, ()
    answer, names = NOTHING, []
    for port in ports:
        if isinstance(port.port, str):
            names.append(PortName(port.port, port.protocol))
        elif port.protocol in WITH_PORTS:
            numbers = None if port.port is None else PortSet([(port.port, port.end_port or port.port)])
            answer = answer | Connections.only(port.protocol, numbers)
    return answer, tuple(names)


def network_policy(policy: NetworkPolicy, kind: str = "NetworkPolicy") -> StackPolicy:
    isolates = {Direction.INGRESS: policy.isolates_ingress, Direction.EGRESS: policy.isolates_egress}
    rules: list[StackRule] = []
    written: dict[Direction, Sequence[Any]] = {Direction.INGRESS: policy.spec.ingress, Direction.EGRESS: policy.spec.egress}
    for direction, mine in written.items():
        for number, rule in enumerate(mine if isolates[direction] else ()):
            everybody = not rule.peers and (kind == "NetworkPolicy" or rule.peers is NOT_WRITTEN)
            whom = EVERYBODY if everybody else Or(tuple(peer(p, policy.namespace) for p in rule.peers))
            connections, names = opened(rule.ports)
            place = f"{direction.lower()}[{number}]"
            rules.append(StackRule(direction, Does.ALLOW, peer=whom, connections=connections, names=names, place=place))
    subject = And((POD, Named(Scope.NAMESPACE, frozenset({policy.namespace})), selected(policy.spec.pod_selector)))
    own = frozenset(direction for direction, does in isolates.items() if does)
    return StackPolicy(Subject(kind, policy.name, policy.namespace), subject, own, tuple(rules))


def _pods(pods: NamespacedPods) -> Formula:
    return And((POD, selected(pods.namespace_selector, Scope.NAMESPACE), selected(pods.pod_selector)))


def _cluster_peer(one: ClusterPeer, world: World) -> Formula:
    parts: list[Formula] = [within(*one.networks)] if one.networks else []
    if one.namespaces is not None:
        parts.append(And((POD, selected(one.namespaces, Scope.NAMESPACE))))
    if one.pods is not None:
        parts.append(_pods(one.pods))
    if one.nodes is not None:
        names = {n.name for n in world.nodes if one.nodes.matches(n.metadata.labels)}
        here = {p.status.pod_ip for p in world.pods if p.spec.host_network and p.spec.node_name in names}
        parts.append(And((Is(frozenset({EndKind.HOST_POD})), within(*here))))
    if one.domain_names:
        parts.append(NOBODY)
    return Or(tuple(parts))


def _matched(matches: tuple[PortMatch, ...] | None) -> tuple[Connections, tuple[PortName, ...]]:
    if matches is None:
        return EVERYTHING, ()
    answer, names = NOTHING, []
    for match in matches:
        if match.name:
            names.append(PortName(match.name))
        elif match.protocol in WITH_PORTS:
            answer = answer | Connections.only(match.protocol, PortSet([(match.low, match.high)]))
    return answer, tuple(names)


def cluster_policy(ref: Subject, spec: ClusterRules, world: World) -> StackPolicy:
    subject: Formula = NOBODY
    if spec.subject.namespaces is not None:
        subject = And((POD, selected(spec.subject.namespaces, Scope.NAMESPACE)))
    elif spec.subject.pods is not None:
        subject = _pods(spec.subject.pods)
    rules: list[StackRule] = []
    written: dict[Direction, Sequence[Any]] = {Direction.INGRESS: spec.ingress, Direction.EGRESS: spec.egress}
    for direction, mine in written.items():
        for number, rule in enumerate(mine):
            whom = Or(tuple(_cluster_peer(p, world) for p in rule.peers))
            connections, names = _matched(rule.matches)
            place = f"{direction.lower()}[{number}]"
            rules.append(StackRule(direction, DOES[rule.action], peer=whom, connections=connections, names=names, place=place))
    return StackPolicy(ref, subject, frozenset(), tuple(rules))


def stack(world: World) -> Stack:
    """Return all standard policies of *world* as they are specified."""
    wide = [(Subject("ClusterNetworkPolicy", p.metadata.name), read_cluster_policy(p)) for p in world.cluster_policies]
    wide += [(Subject(p.title, p.name), p.spec) for p in world.admin_policies]
    wide.sort(key=lambda found: (found[1].priority, found[0].kind, found[0].name))
    tiers = {
        name: tuple(cluster_policy(ref, spec, world) for ref, spec in wide if (spec.tier == "Baseline") == (name == "Baseline"))
        for name in ("Admin", "Baseline")
    }
    own = (
        *map(network_policy, world.network_policies),
        *(network_policy(p, "ApplicationNetworkPolicy") for p in world.application_policies),
    )
    return Stack(
        "kubernetes",
        (
            StackTier("Admin", tiers["Admin"], otherwise=None),
            StackTier("", own, otherwise=Does.DENY),
            StackTier("Baseline", tiers["Baseline"], otherwise=None),
        ),
    )
