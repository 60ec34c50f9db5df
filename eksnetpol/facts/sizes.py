"""How many entries policies come to, once the controller has resolved them."""

from __future__ import annotations

from dataclasses import dataclass

from eksnetpol.facts import openings  # noqa: F401 - declares facts that are asked for below
from eksnetpol.facts.declare import fact
from eksnetpol.model.findings import Subject
from eksnetpol.policy.isolation import Isolation, Subjects
from eksnetpol.policy.peers import SelectedPeer
from eksnetpol.policy.rules import Direction, Rules
from eksnetpol.policy.weights import Weights

LARGE = 1000
"""From here on a policy is worth a word: five PolicyEndpoints of the controller's own default."""


@dataclass(frozen=True, slots=True)
class Size:
    """Entries of one policy: pods it selects (0 where they are few) and peers by direction, without addresses of Services."""

    policy: Subjects
    pods: int
    ingress: int
    egress: int

    @property
    def subject(self) -> Subject:
        """The policy, as findings name it."""
        return self.policy.subject

    @property
    def most(self) -> int:
        """The greatest of the three."""
        return max(self.pods, self.ingress, self.egress)


@fact
def large_policies(
    isolation: Isolation, rules: Rules, selected_peers: tuple[SelectedPeer, ...], weights: Weights
) -> tuple[Size, ...]:
    """Policies with more than `LARGE` pods, or peers in a direction. A pod that several rules name counts once for each."""
    universe = isolation.universe
    off = universe.on_host_network | universe.terminal
    selected: list[int] = []
    for subjects in isolation.subjects:
        # Most policies select a class or two, which surely are not that many.
        is_large = weights.exceed(LARGE, subjects.selected)
        selected.append(weights.of(subjects.selected & ~off) if is_large else 0)
    peers = ([0] * len(selected), [0] * len(selected))
    for peer in selected_peers:
        for rule, _ in peer.places:
            peers[rule.direction is Direction.EGRESS][rule.at] += peer.pods
    for rule in rules.with_blocks:
        peers[rule.direction is Direction.EGRESS][rule.at] += len(rule.peers)
    ingress, egress = peers
    return tuple(
        Size(isolation.subjects[at], *found)
        for at, found in enumerate(zip(selected, ingress, egress, strict=True))
        if max(found) > LARGE
    )
