"""No pod has more peers than the agent's map holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from eksnetpol.checks.declare import ENFORCING, LIMIT, check
from eksnetpol.checks.places import show_policies
from eksnetpol.checks.words import few
from eksnetpol.model.findings import Evidence, Finding, Severity
from eksnetpol.policy.isolation import Isolation
from eksnetpol.policy.owners import owner_of
from eksnetpol.policy.peers import SelectedPeer
from eksnetpol.policy.rules import Direction, Rules
from eksnetpol.policy.universe import Classes, indexes_of
from eksnetpol.policy.weights import Sums, Weights

FULL = 65536
"""Prefixes that the agent's map holds, by direction and identity."""
CROWDED = FULL // 2
UNIT = 16
"""Pods are counted by so many at first."""


@check(
    title="the peers of every pod fit the agent's map",
    severity=Severity.BLOCKER,
    docs=LIMIT,
    sources=("aws/aws-network-policy-agent#484",),
    intents=ENFORCING,
    about="objects",
)
def peers_fit_the_agents_map(
    isolation: Isolation, rules: Rules, selected_peers: tuple[SelectedPeer, ...], weights: Weights
) -> Iterator[Finding | Evidence]:
    """
    For each identity and direction the agent keeps one entry for every address that any policy names, in a map of 65,536. A
    policy open to "all pods of all namespaces" comes to one entry per pod of the cluster. What no longer fits is not written, and
    the traffic it would allow is dropped; from half of it on the next growth of the cluster is a risk.
    """
    universe = isolation.universe
    blocks: dict[Direction, dict[int, set[str]]] = {d: {} for d in Direction}
    for rule, block in rules.blocks():
        blocks[rule.direction].setdefault(rule.at, set()).update((block.cidr, *block.except_))
    most = weights.of(universe.everything) + sum(len(b) for by_policy in blocks.values() for b in by_policy.values())
    yield Evidence(f"{most} pods and blocks altogether" if most <= CROWDED else f"more than {CROWDED} pods and blocks")
    if most <= CROWDED:
        return
    for direction in Direction:
        worst: dict[tuple[str, str, str], tuple[int, int]] = {}
        for index, entries in _crowded(isolation, direction, selected_peers, weights, blocks[direction]):
            owner = owner_of(universe.classes[index].example)
            key = (owner.kind, owner.name, owner.namespace)
            worst[key] = max(worst.get(key, (0, 0)), (entries, index))
        for entries, index in worst.values():
            pod_class = universe.classes[index]
            owner = owner_of(pod_class.example)
            full = entries > FULL
            yield Finding(
                subject=owner,
                message=f"{direction.lower()} policies name {entries} addresses for its pods; the agent's map holds {FULL}",
                remedy="Replace peers that mean whole crowds of pods by the blocks of their subnets.",
                command=show_policies(owner.namespace),
                evidence=few(p.name for p in isolation.policies_of(pod_class, direction)),
                severity=None if full else Severity.WARNING,
            )


def _crowded(
    isolation: Isolation, direction: Direction, peers: Iterable[SelectedPeer], weights: Weights, blocks: dict[int, set[str]]
) -> Iterator[tuple[int, int]]:
    """Yield the index of each class with too many entries, and how many these are."""
    suspects = _suspects(isolation, direction, peers, blocks) & isolation.policed
    if not suspects:
        return
    by_policy: dict[int, Classes] = {}
    for peer in peers:
        for at in {rule.at for rule, _ in peer.places if rule.direction is direction}:
            by_policy[at] = by_policy.get(at, 0) | peer.classes
    meant: dict[int, Classes] = {}
    named: dict[int, set[str]] = {}
    for at in by_policy.keys() | blocks.keys():
        for index in indexes_of(isolation.subjects[at].selected & suspects):
            meant[index] = meant.get(index, 0) | by_policy.get(at, 0)
            named.setdefault(index, set()).update(blocks.get(at, ()))
    for index in sorted(meant):
        entries = weights.of(meant[index]) + len(named[index])
        if entries > CROWDED:
            yield index, entries


def _suspects(
    isolation: Isolation, direction: Direction, peers: Iterable[SelectedPeer], blocks: dict[int, set[str]]
) -> Classes:
    """Return the classes whose peers, each counted for itself and rounded up, come to too many: no other can have too many."""
    sums = Sums()
    for peer in peers:
        selected = peer.selected(isolation, direction)
        if selected:
            sums.add(selected, -(-peer.pods // UNIT))
    different = len(set().union(*blocks.values()))
    sums.add(isolation.policed, -(-different // UNIT))
    return sums.above(CROWDED // UNIT, isolation.policed)
