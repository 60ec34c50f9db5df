"""Rules of policies laid side by side: whose they are, whom they speak of, which ports they open.

The controller resolves ingress and egress rules whatever ``policyTypes`` says, and the agent applies what was resolved
(aws/amazon-network-policy-controller-k8s, pkg/resolvers), so all rules are here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from eksnetpol.model.findings import Subject
from eksnetpol.model.policies import IPBlock, NetworkPolicy, PolicyPeer, PolicyPort
from eksnetpol.policy.universe import Classes, Universe

Entry = tuple[str, int, int]
"""Ports of one protocol from low to high, one entry of the agent's map: ``("TCP", 80, 80)``; low 0 is all its ports."""

EVERYTHING: Entry = ("", 0, 0)
"""The entry of a rule without ports: every protocol."""


class Direction(StrEnum):
    """As ``policyTypes`` writes it."""

    INGRESS = "Ingress"
    EGRESS = "Egress"


class Rule(NamedTuple):
    """A rule. ``at`` is the place of its policy among all policies, as in `Isolation.subjects`; ``number`` its own, from 0."""

    at: int
    policy: NetworkPolicy
    kind: str
    direction: Direction
    number: int
    peers: tuple[PolicyPeer, ...]
    ports: tuple[PolicyPort, ...]

    @property
    def subject(self) -> Subject:
        """The policy it belongs to."""
        return Subject(self.kind, self.policy.name, self.policy.namespace)

    @property
    def place(self) -> str:
        """Where it stands in its policy: ``egress[0]``."""
        return f"{self.direction.lower()}[{self.number}]"


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules of all policies, and those of them that few questions are about."""

    everything: tuple[Rule, ...]
    with_blocks: tuple[Rule, ...]
    with_selectors: tuple[Rule, ...]
    without_peers: tuple[Rule, ...]
    with_names: tuple[Rule, ...]

    def blocks(self) -> Iterator[tuple[Rule, IPBlock]]:
        """Yield each ``ipBlock`` with its rule."""
        for rule in self.with_blocks:
            for peer in rule.peers:
                if peer.ip_block is not None:
                    yield rule, peer.ip_block


def lay_out(network: Iterable[NetworkPolicy], application: Iterable[NetworkPolicy] = ()) -> Rules:
    """Lay out the rules of NetworkPolicies and, after them, of ApplicationNetworkPolicies.

    An egress rule without ``to`` opens everything in a NetworkPolicy and nothing in an ApplicationNetworkPolicy: the controller
    drops it there (aws/amazon-network-policy-controller-k8s, applicationnetworkpolicy_resolver.go).
    """
    sorted_ = _Sorted([], [], [], [], [])
    at = 0
    for policy in network:
        sorted_.add(at, policy, "NetworkPolicy")
        at += 1
    for policy in application:
        sorted_.add(at, policy, "ApplicationNetworkPolicy")
        at += 1
    return Rules(*(tuple(rules) for rules in sorted_))


class _Sorted(NamedTuple):
    """`Rules` while they are laid out."""

    everything: list[Rule]
    with_blocks: list[Rule]
    with_selectors: list[Rule]
    without_peers: list[Rule]
    with_names: list[Rule]

    def add(self, at: int, policy: NetworkPolicy, kind: str) -> None:
        """Add the rules of *policy*."""
        spec = policy.spec
        for number, incoming in enumerate(spec.ingress):
            self._sort_in(Rule(at, policy, kind, Direction.INGRESS, number, incoming.peers, incoming.ports))
        for number, outgoing in enumerate(spec.egress):
            if outgoing.peers or kind == "NetworkPolicy":
                self._sort_in(Rule(at, policy, kind, Direction.EGRESS, number, outgoing.peers, outgoing.ports))

    def _sort_in(self, rule: Rule) -> None:
        self.everything.append(rule)
        if not rule.peers:
            self.without_peers.append(rule)
        # Plain loops: a generator for each of tens of thousands of rules costs more than what it looks at.
        blocks = selectors = False
        for peer in rule.peers:
            if peer.ip_block is not None:
                blocks = True
            else:
                selectors = True
        if blocks:
            self.with_blocks.append(rule)
        if selectors:
            self.with_selectors.append(rule)
        for port in rule.ports:
            if isinstance(port.port, str):
                self.with_names.append(rule)
                break


@lru_cache(maxsize=1 << 14)
def entries_of(ports: tuple[PolicyPort, ...]) -> frozenset[Entry]:
    """Return the entries that *ports* make without their named ones; no ports at all make `EVERYTHING`.

    Equal ones count once, a range counts as one, and ``endPort`` without ``port`` means nothing.
    """
    if not ports:
        return frozenset({EVERYTHING})
    return frozenset(entry(p, p.port or 0) for p in ports if not isinstance(p.port, str))


def names_of(ports: tuple[PolicyPort, ...]) -> tuple[PolicyPort, ...]:
    """Return the named ones of *ports*."""
    return tuple([p for p in ports if isinstance(p.port, str)])


def numbered(ports: tuple[PolicyPort, ...], meanings: Callable[[str, str], Iterable[int]]) -> tuple[PolicyPort, ...]:
    """Return *ports* with the numbers that *meanings* gives a protocol and a name in place of the named ones."""
    found = [p for p in ports if not isinstance(p.port, str)]
    for port in names_of(ports):
        found += [PolicyPort(port.protocol, number) for number in sorted(meanings(port.protocol, str(port.port)))]
    return tuple(found)


def entry(port: PolicyPort, number: int) -> Entry:
    """Return the entry that *port* makes when its number is *number* (0: all ports)."""
    return (port.protocol, number, port.end_port or number if number else 0)


def admits(entries: Iterable[Entry], protocol: str, port: int) -> bool:
    """Say whether one of *entries* lets *protocol* through to *port*."""
    return any(
        (said in {"", protocol}) and (low == 0 or low <= port <= max(low, high)) for said, low, high in entries
    )


def peer_classes(universe: Universe, namespace: str, peer: PolicyPeer) -> Classes:
    """Return the pods that a peer by selectors means: none that has finished, and those on the host network too.

    Pods on the host network count as peers with the address of their node, which opens the rule to everything there
    (aws/amazon-network-policy-controller-k8s, pkg/resolvers/endpoints.go). An ``ipBlock`` means no pods.
    """
    if peer.pod_selector is None and peer.namespace_selector is None:
        return 0
    if peer.namespace_selector is None:
        within = universe.in_namespace.get(namespace, 0)
    else:
        within = universe.select_namespaces(peer.namespace_selector)
    within &= ~universe.terminal
    return within if peer.pod_selector is None else universe.select(peer.pod_selector, within)
