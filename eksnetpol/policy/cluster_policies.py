"""Policies for the whole cluster as tiers of ordered rules.

Under Kubernetes semantics those of ``policy.networking.k8s.io`` count, and ClusterNetworkPolicies of ``networking.k8s.aws`` as
they are written. The VPC CNI knows only the latter, and takes some of them otherwise (aws/amazon-network-policy-controller-k8s,
clusternetworkpolicy_resolver.go): in ingress the namespaces of a rule's first peer decide whether the rule exists at all, order
within a policy is lost, and a named port beside a pod peer ends the controller's process.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from eksnetpol.model.cluster_rules import (
    Action,
    ClusterEgressRule,
    ClusterIngressRule,
    ClusterPeer,
    ClusterRules,
    ClusterSubject,
    NamespacedPods,
    PortMatch,
    read_cluster_policy,
)
from eksnetpol.model.findings import Subject
from eksnetpol.model.selectors import LabelSelector
from eksnetpol.policy.addresses import Network, parse_cidr
from eksnetpol.policy.answers import Say
from eksnetpol.policy.atlas import Chart
from eksnetpol.policy.connections import EVERYTHING, NOTHING, WITH_PORTS, Connections
from eksnetpol.policy.dataplane_admin import READS_CLUSTER_POLICIES
from eksnetpol.policy.declared import DeclaredPorts
from eksnetpol.policy.grants import Spread
from eksnetpol.policy.nodes import Nodes
from eksnetpol.policy.ports import PortSet
from eksnetpol.policy.profile import Profile, Semantics
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.tiers import ADMIN, BASELINE, Ordered, Tier
from eksnetpol.policy.universe import Classes
from eksnetpol.policy.world import World

_SAYS = {Action.ACCEPT: Say.ALLOWS, Action.ALLOW: Say.ALLOWS, Action.DENY: Say.DENIES, Action.PASS: Say.PASSES}
_ORDER = (Say.DENIES, Say.ALLOWS, Say.PASSES)
"""At equal priority the agent asks them in this order."""


@dataclass(frozen=True)
class ClusterTiers:
    """Both tiers, and what was left out and why, in words."""

    admin: Tier
    baseline: Tier
    notes: tuple[str, ...] = ()
    subjects: Classes = 0
    """The classes that any such policy selects."""

    def __bool__(self) -> bool:
        return bool(self.admin) or bool(self.baseline)



def read(world: World, profile: Profile) -> tuple[list[tuple[Subject, ClusterRules]], list[str]]:
    """Return the cluster-wide policies that count, lowest priority number first, and notes on those that do not."""
    found: list[tuple[Subject, ClusterRules]] = []
    notes: list[str] = []
    is_agent = profile.semantics is Semantics.VPC_CNI
    reads = not is_agent or profile.agent.base >= READS_CLUSTER_POLICIES
    if world.cluster_policies and not reads:
        notes.append(f"agent {profile.agent} reads no ClusterNetworkPolicies: {len(world.cluster_policies)} left out")
    for policy in world.cluster_policies if reads else ():
        try:
            found.append((Subject("ClusterNetworkPolicy", policy.metadata.name), read_cluster_policy(policy)))
        except ValueError as error:
            notes.append(f"left out: {error}")
    if world.admin_policies and is_agent:
        notes.append(
            f"the VPC CNI does not enforce policies of policy.networking.k8s.io: {len(world.admin_policies)} left out, e.g. "
            f"{world.admin_policies[0].kind} {world.admin_policies[0].name}"
        )
    elif world.admin_policies:
        found.extend((Subject(p.title, p.name), p.spec) for p in world.admin_policies)
    return sorted(found, key=lambda f: (f[1].priority, f[0].kind, f[0].name)), notes


def selectors(policies: Iterable[tuple[Subject, ClusterRules]]) -> Iterator[LabelSelector]:
    """Yield the pod selectors of *policies*."""
    for _, rules in policies:
        if rules.subject.pods is not None:
            yield rules.subject.pods.pod_selector
        for peer in _peers(rules):
            if peer.pods is not None:
                yield peer.pods.pod_selector


def networks(policies: Iterable[tuple[Subject, ClusterRules]]) -> Iterator[Network]:
    """Yield the blocks of *policies*."""
    for _, rules in policies:
        for peer in _peers(rules):
            yield from _parsed(peer.networks)


def _peers(rules: ClusterRules) -> Iterator[ClusterPeer]:
    for incoming in rules.ingress:
        yield from incoming.peers
    for outgoing in rules.egress:
        yield from outgoing.peers


def _parsed(texts: Iterable[str]) -> Iterator[Network]:
    return (n for n in map(parse_cidr, texts) if n is not None)


def resolve(
    world: World, policies: Sequence[tuple[Subject, ClusterRules]], chart: Chart, names: DeclaredPorts, *, is_agent: bool
) -> ClusterTiers:
    """Return *policies*, as `read` gives them, as tiers over the classes of *chart*."""
    builder = _Builder(world, chart, names, is_agent)
    builder.select(rules.subject for _, rules in policies)
    tiers: dict[str, list[tuple[int, Ordered]]] = {ADMIN: [], BASELINE: []}
    for subject, rules in policies:
        for ordered in builder.rules(subject, rules):
            tiers[BASELINE if rules.tier == BASELINE else ADMIN].append((rules.priority, ordered))
    made = {}
    for name, found in tiers.items():
        if is_agent:
            found.sort(key=lambda f: (f[0], _ORDER.index(f[1].say)))
        made[name] = Tier(tuple(rule for _, rule in found), chart.universe.everything, chart.within)
    return ClusterTiers(made[ADMIN], made[BASELINE], tuple(builder.notes), builder.selected)


class _Builder:
    def __init__(self, world: World, chart: Chart, names: DeclaredPorts, is_agent: bool) -> None:
        self.universe = chart.universe
        self.chart = chart
        self.spread: Spread | None = None
        self.nodes = Nodes(chart.universe)
        self.names = names
        self.is_agent = is_agent
        self.policed = self.universe.everything & ~self.universe.on_host_network
        self.node_labels = {n.name: n.metadata.labels for n in world.nodes}
        self.notes: list[str] = []
        self.selected = 0

    def select(self, subjects: Iterable[ClusterSubject]) -> None:
        """Take note of all that policies select, where pods whose names begin alike share what holds for one of them."""
        if self.is_agent:
            found = 0
            for subject in subjects:
                found |= self._subjects(subject) & self.policed
            self.spread = Spread(self.chart, found)

    def rules(self, subject: Subject, rules: ClusterRules) -> Iterator[Ordered]:
        subjects = self._subjects(rules.subject) & self.policed
        if self.spread is not None:
            subjects = self.spread.over(subjects)
        self.selected |= subjects
        if not subjects:
            return
        for number, incoming in enumerate(rules.ingress):
            yield from self._rule(subject, f"ingress[{number}]", Direction.INGRESS, subjects, incoming)
        for number, outgoing in enumerate(rules.egress):
            yield from self._rule(subject, f"egress[{number}]", Direction.EGRESS, subjects, outgoing)

    def _rule(
        self, subject: Subject, place: str, direction: Direction, subjects: Classes, rule: ClusterIngressRule | ClusterEgressRule
    ) -> Iterator[Ordered]:
        if self.is_agent and direction is Direction.INGRESS and rule.peers and not self._has_namespaces(rule.peers[0]):
            return
        peers = 0
        blocks: list[Network] = []
        for peer in rule.peers:
            peers |= self._peer(peer)
            blocks.extend(_parsed(peer.networks))
            if peer.domain_names and not self.is_agent:
                self.notes.append(f"{subject} {place}: which addresses {peer.domain_names[0]} has is not known here")
        connections, wanted = _ports(rule.matches)
        if wanted and self.is_agent:
            self.notes.append(f"{subject} {place}: a named port ends the policy controller's process; the port is left out")
            wanted = ()
        named: tuple[tuple[Connections, Classes], ...] = ()
        if wanted and direction is Direction.INGRESS:
            named = self._named(wanted, subjects)
        elif wanted:
            # On pods inside a block a name is their own, as if a selector meant them.
            named = self._named(wanted, peers | (self.chart.held((b, ()) for b in blocks) & self.policed))
        # Peers without any pod may still mean Services, whose addresses the controller opens.
        to_services = self.is_agent and direction is Direction.EGRESS
        if (peers or blocks or to_services) and (connections or named):
            say = _SAYS[rule.action]
            yield Ordered(subject, place, direction, subjects, peers, tuple(blocks), say, connections, named, rule)

    def _has_namespaces(self, peer: ClusterPeer) -> bool:
        selector = peer.namespaces if peer.pods is None else peer.pods.namespace_selector
        return selector is not None and any(selector.matches(labels) for labels in self.universe.namespace_labels.values())

    def _subjects(self, subject: ClusterSubject) -> Classes:
        if subject.namespaces is not None:
            return self.universe.select_namespaces(subject.namespaces)
        return 0 if subject.pods is None else self._pods(subject.pods)

    def _peer(self, peer: ClusterPeer) -> Classes:
        found = 0
        if peer.namespaces is not None:
            found |= self.universe.select_namespaces(peer.namespaces)
        if peer.pods is not None:
            found |= self._pods(peer.pods)
        if self.is_agent:
            # The addresses of pods on the host network are those of nodes, which all such pods of a node have.
            return found | self.nodes.covered_by(found)[0] if found & self.universe.on_host_network else found
        found &= self.policed
        if peer.nodes is not None:
            found |= self._on_nodes(peer.nodes)
        return found

    def _pods(self, pods: NamespacedPods) -> Classes:
        return self.universe.select(pods.pod_selector, self.universe.select_namespaces(pods.namespace_selector))

    def _on_nodes(self, selector: LabelSelector) -> Classes:
        """Return the classes on the host network of which every pod is on a node that *selector* means."""
        found = 0
        for one in self.universe.members(self.universe.on_host_network):
            if all(selector.matches(self.node_labels.get(p.spec.node_name, {})) for p in one.pods):
                found |= one.bit
        return found

    def _named(self, names: Iterable[str], within: Classes) -> tuple[tuple[Connections, Classes], ...]:
        found: dict[Connections, Classes] = {}
        for name in names:
            for protocol in WITH_PORTS:
                for number, classes in self.names.meanings(protocol, name, within).items():
                    one = Connections.only(protocol, PortSet.of(number))
                    found[one] = found.get(one, 0) | classes
        return tuple(found.items())


def _ports(matches: tuple[PortMatch, ...] | None) -> tuple[Connections, tuple[str, ...]]:
    if matches is None:
        return EVERYTHING, ()
    answer, names = NOTHING, []
    for match in matches:
        if match.name:
            names.append(match.name)
        elif match.protocol in WITH_PORTS:
            answer = answer | Connections.only(match.protocol, PortSet([(match.low, match.high)]))
    return answer, tuple(names)
