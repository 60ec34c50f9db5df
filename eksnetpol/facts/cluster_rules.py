"""Rules of ClusterNetworkPolicies in the order the agent asks them, with the pods they speak of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from eksnetpol.facts import coverage, openings  # noqa: F401 - declare facts that are asked for below
from eksnetpol.facts.declare import fact
from eksnetpol.model.cluster_rules import Action, ClusterPeer, Rule, read_cluster_policy
from eksnetpol.model.findings import Subject
from eksnetpol.model.kubernetes import Service
from eksnetpol.model.policies import ClusterNetworkPolicy
from eksnetpol.model.snapshot import Unread
from eksnetpol.policy.addresses import covers
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.universe import Classes, Universe

ADMIN, BASELINE = "Admin", "Baseline"
_FIRST = {Action.DENY: 0, Action.ACCEPT: 1, Action.ALLOW: 1, Action.PASS: 2}
"""What comes first where priorities are equal (aws/aws-network-policy-agent, seen on its own programs)."""


@dataclass(frozen=True, slots=True)
class PlacedRule:
    """A rule, whose it is, where it stands, and whom its policy selects. ``peers`` are its own."""

    policy: str
    tier: str
    priority: int
    direction: Direction
    number: int
    selected: Classes
    rule: Rule
    peers: tuple[ClusterPeer, ...]

    @property
    def subject(self) -> Subject:
        """Its policy."""
        return Subject("ClusterNetworkPolicy", self.policy)

    @property
    def place(self) -> str:
        """Where it stands in its policy: ``egress[0]``."""
        return f"{self.direction.lower()}[{self.number}]"

    def takes(self, protocol: str, port: int) -> bool:
        """Say whether it speaks of a port; of named ones it is not known."""
        matches = self.rule.matches
        return matches is None or any(m.protocol == protocol and m.low <= port <= m.high for m in matches)

    def means_address(self, address: str) -> bool:
        """Say whether one of its networks holds *address*."""
        return any(covers(network, address) for peer in self.peers for network in peer.networks)

    @property
    def names_networks(self) -> bool:
        """True when it means addresses outside the cluster's pods."""
        return any(peer.networks for peer in self.peers)

    def means_service(self, service: Service, universe: Universe) -> bool:
        """Say whether it means the ClusterIP of *service*: by its networks, or as selectors in policies do."""
        labels = universe.namespace_labels.get(service.namespace, {"kubernetes.io/metadata.name": service.namespace})
        for peer in self.peers:
            if peer.namespaces is not None and peer.namespaces.matches(labels):
                return True
            pods = peer.pods
            if pods is not None and pods.namespace_selector.matches(labels) and pods.pod_selector.matches(service.spec.selector):
                return True
        return self.means_address(service.spec.cluster_ip)

    def classes(self, universe: Universe) -> Classes:
        """Return the pods its peers mean."""
        answer = 0
        for peer in self.peers:
            if peer.namespaces is not None:
                answer |= universe.select_namespaces(peer.namespaces)
            if peer.pods is not None:
                within = universe.select_namespaces(peer.pods.namespace_selector)
                answer |= universe.select(peer.pods.pod_selector, within)
        return answer & ~universe.terminal


@dataclass(frozen=True, slots=True)
class ClusterRulebook:
    """All policies, their rules, first asked first within a tier, and what is wrong with policies that could not be read."""

    policies: tuple[ClusterNetworkPolicy, ...]
    rules: tuple[PlacedRule, ...]
    unreadable: tuple[tuple[Subject, str], ...]

    def of(self, tier: str, direction: Direction) -> tuple[PlacedRule, ...]:
        """Return the rules of a tier and direction, in their order."""
        return tuple(r for r in self.rules if r.tier == tier and r.direction is direction)


def accepted(
    rulebook: ClusterRulebook | Unread, direction: Direction, concerned: Classes, speaks_of: Callable[[PlacedRule], bool]
) -> Classes:
    """Return those of *concerned* whose first rule of the Admin tier that *speaks_of* it accepts: policies do not count then.

    Where cluster policies could not be read there are none, as far as is known.
    """
    answer: Classes = 0
    if isinstance(rulebook, Unread):
        return answer
    for placed in rulebook.of(ADMIN, direction):
        mine = placed.selected & concerned
        if mine and speaks_of(placed):
            concerned &= ~mine
            answer |= mine if placed.rule.action.allows else 0
    return answer


def accepted_address(rulebook: ClusterRulebook | Unread, concerned: Classes, address: str, protocol: str, port: int) -> Classes:
    """Return those of *concerned* that cluster policies let to *address* before other policies are asked."""
    return accepted(rulebook, Direction.EGRESS, concerned, lambda r: r.takes(protocol, port) and r.means_address(address))


def accepted_service(
    rulebook: ClusterRulebook | Unread, concerned: Classes, service: Service, universe: Universe, protocol: str, port: int
) -> Classes:
    """Return those of *concerned* that cluster policies let to *service* before other policies are asked."""

    def speaks_of(placed: PlacedRule) -> bool:
        return placed.takes(protocol, port) and placed.means_service(service, universe)

    return accepted(rulebook, Direction.EGRESS, concerned, speaks_of)


@fact
def cluster_rulebook(cluster_subjects: tuple[tuple[ClusterNetworkPolicy, Classes], ...]) -> ClusterRulebook:
    """The rules of all ClusterNetworkPolicies of ``networking.k8s.aws``."""
    rules: list[PlacedRule] = []
    unreadable: list[tuple[Subject, str]] = []
    for policy, selected in cluster_subjects:
        try:
            rules += _placed(policy, selected)
        except ValueError as error:
            unreadable.append((Subject("ClusterNetworkPolicy", policy.metadata.name), str(error)))
    rules.sort(key=lambda r: (r.priority, _FIRST[r.rule.action], r.policy, r.number))
    policies = tuple(policy for policy, _ in cluster_subjects)
    return ClusterRulebook(policies, tuple(rules), tuple(unreadable))


def _placed(policy: ClusterNetworkPolicy, selected: Classes) -> Iterator[PlacedRule]:
    spec = read_cluster_policy(policy)
    name = policy.metadata.name
    for number, incoming in enumerate(spec.ingress):
        yield PlacedRule(name, spec.tier, spec.priority, Direction.INGRESS, number, selected, incoming, incoming.peers)
    for number, outgoing in enumerate(spec.egress):
        yield PlacedRule(name, spec.tier, spec.priority, Direction.EGRESS, number, selected, outgoing, outgoing.peers)
