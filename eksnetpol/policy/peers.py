"""Peers by selectors, equal ones together: policies repeat few different ones, so each is looked up once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eksnetpol.model.policies import PolicyPeer
from eksnetpol.model.selectors import LabelSelector
from eksnetpol.policy.isolation import Isolation
from eksnetpol.policy.rules import Direction, Rule, Rules, peer_classes
from eksnetpol.policy.universe import Classes, Universe
from eksnetpol.policy.weights import Weights


@dataclass(frozen=True, slots=True)
class SelectedPeer:
    """A peer and the running pods it means. ``places`` are the rules it stands in, with its place among their peers.

    ``namespace`` is that of the policies where the peer means their own namespace, and empty where it names namespaces itself.
    """

    namespace: str
    peer: PolicyPeer
    classes: Classes
    places: tuple[tuple[Rule, int], ...]
    pods: int
    """How many pods it means."""

    def selected(self, isolation: Isolation, direction: Direction) -> Classes:
        """Return the pods that policies with this peer in a rule of *direction* select."""
        answer = 0
        for rule, _ in self.places:
            if rule.direction is direction:
                answer |= isolation.subjects[rule.at].selected
        return answer


def place_of(rule: Rule, index: int) -> str:
    """Return where the peer at *index* of *rule* stands: ``egress[0].to[1]``."""
    return f"{rule.place}.{'from' if rule.direction is Direction.INGRESS else 'to'}[{index}]"


def sort_out(universe: Universe, rules: Rules, weights: Weights) -> tuple[SelectedPeer, ...]:
    """Return the different peers by selectors of *rules*, in the order they first stand there."""
    places: dict[Any, list[tuple[Rule, int]]] = {}
    for rule in rules.with_selectors:
        for index, peer in enumerate(rule.peers):
            pods, namespaces = peer.pod_selector, peer.namespace_selector
            if pods is None and namespaces is None:
                continue
            own = rule.policy.metadata.namespace if namespaces is None else ""
            places.setdefault((own, _key(pods), _key(namespaces)), []).append((rule, index))
    found = []
    for (own, _, _), same in places.items():
        rule, index = same[0]
        peer = rule.peers[index]
        classes = peer_classes(universe, own, peer)
        found.append(SelectedPeer(own, peer, classes, tuple(same), weights.of(classes)))
    return tuple(found)


def _key(selector: LabelSelector | None) -> Any:
    if selector is None:
        return None
    # Equal selectors whose labels stand in another order count as different, which costs one more look-up.
    return tuple(selector.match_labels.items()), selector.match_expressions
