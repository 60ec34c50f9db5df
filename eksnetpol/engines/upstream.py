"""Policies of ``policy.networking.k8s.io`` as a stack: an Admin tier, NetworkPolicies, a Baseline tier.

As the API is specified (kubernetes-sigs/network-policy-api): rules are asked in their order, policies of a tier by priority, the
lower number first; nothing isolates but NetworkPolicies. Which of two policies of equal priority is asked first is left open.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, groupby

from eksnetpol.engines.kubernetes_policies import NODES_OF_TODAY, PODS, all_of, any_of, block, nodes, pods, selected, stack_tier
from eksnetpol.engines.ties import Ties
from eksnetpol.model.admin_policies import AdminPolicy
from eksnetpol.model.cluster_rules import (
    Action,
    ClusterEgressRule,
    ClusterIngressRule,
    ClusterPeer,
    ClusterSubject,
    PortMatch,
)
from eksnetpol.model.findings import Subject
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.policy.connections import EVERYTHING, NOTHING, WITH_PORTS, Connections
from eksnetpol.policy.ports import PortSet
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.stacks.formulas import NOBODY, Formula, Scope, Unknowable
from eksnetpol.policy.stacks.rules import Does, PortName, Refused, Stack, StackPolicy, StackRule, StackTier
from eksnetpol.policy.world import World

DIALECT = "upstream"
ADMIN, BASELINE = "Admin", "Baseline"
"""The names of the two tiers, as ``spec.tier`` writes them."""

_DOES: Mapping[Action, Does] = {
    Action.ACCEPT: Does.ALLOW,
    Action.ALLOW: Does.ALLOW,
    Action.DENY: Does.DENY,
    Action.PASS: Does.PASS,
}


def read(policies: Iterable[AdminPolicy], kubernetes: Iterable[NetworkPolicy], world: World) -> Stack:
    """Return the stack of *policies* of all three kinds, with NetworkPolicies between its tiers."""
    found = tuple(policies)
    known = [p for p in found if p.unclear is None]
    unread = (Refused(Subject(p.title, p.name), p.unclear[1], p.unclear[0]) for p in found if p.unclear is not None)
    admin = (p for p in known if p.spec.tier != BASELINE)
    baseline = (p for p in known if p.spec.tier == BASELINE)
    tiers = (tier(ADMIN, admin, world), stack_tier(kubernetes, world), tier(BASELINE, baseline, world))
    return Stack(DIALECT, tiers, unread=tuple(unread))


def tier(name: str, policies: Iterable[AdminPolicy], world: World) -> StackTier:
    """Return *policies* as a tier, in the order of their priorities; it leaves open what none of their rules settles."""
    ties = Ties()
    ordered = sorted(policies, key=lambda p: (p.spec.priority, p.title, p.name))
    found: list[StackPolicy] = []
    for _, equal in groupby(ordered, key=lambda p: p.spec.priority):
        found += ties.by_policy([stack_policy(policy, world) for policy in equal])
    return StackTier(name, tuple(found), otherwise=None)


def stack_policy(policy: AdminPolicy, world: World) -> StackPolicy:
    """Return one policy. It isolates nobody: it holds for its rules alone."""
    spec = policy.spec
    rules = chain(_rules(Direction.INGRESS, spec.ingress, world), _rules(Direction.EGRESS, spec.egress, world))
    ref = Subject(policy.title, policy.name)
    return StackPolicy(ref, _subject(spec.subject), frozenset(), tuple(rules), policy.metadata.labels)


def _subject(subject: ClusterSubject) -> Formula:
    if subject.namespaces is not None:
        return pods(subject.namespaces)
    return NOBODY if subject.pods is None else pods(subject.pods.namespace_selector, subject.pods.pod_selector)


def _rules(direction: Direction, written: Iterable[ClusterIngressRule | ClusterEgressRule], world: World) -> Iterator[StackRule]:
    for number, rule in enumerate(written):
        does = _DOES[rule.action]
        connections, names = _ports(rule.matches)
        # Without peers it speaks of nobody.
        peer = any_of(_peer(p, does, world) for p in rule.peers)
        place = f"spec.{direction.lower()}[{number}]"
        today = (NODES_OF_TODAY,) if any(p.nodes is not None for p in rule.peers) else ()
        yield StackRule(direction, does, peer=peer, connections=connections, names=names, place=place, today=today)


def _peer(peer: ClusterPeer, does: Does, world: World) -> Formula:
    if peer.namespaces is not None:
        return all_of((PODS, selected(peer.namespaces, Scope.NAMESPACE)))
    if peer.pods is not None:
        return pods(peer.pods.namespace_selector, peer.pods.pod_selector)
    if peer.nodes is not None:
        return nodes(peer.nodes, world)
    if peer.networks:
        return any_of(map(block, peer.networks))
    if peer.domain_names:
        return Unknowable(f"the addresses of {', '.join(peer.domain_names)}")
    # What a newer release of the API means must never open anything, and may well close something.
    return NOBODY if does is Does.ALLOW else Unknowable("a kind of peer that is not known here")


def _ports(matches: tuple[PortMatch, ...] | None) -> tuple[Connections, tuple[PortName, ...]]:
    if matches is None:
        return EVERYTHING, ()
    answer = NOTHING
    names: list[PortName] = []
    for match in matches:
        if match.name:
            names.append(PortName(match.name))
        elif match.protocol in WITH_PORTS:
            answer = answer | Connections.only(match.protocol, PortSet([(match.low, match.high)]))
    return answer, tuple(names)
