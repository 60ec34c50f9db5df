"""Services before the pods that peers mean, and whether the controller sees that they belong together."""

from __future__ import annotations

from dataclasses import dataclass

from eksnetpol.facts import openings, services  # noqa: F401 - declare facts that are asked for below
from eksnetpol.facts.declare import fact
from eksnetpol.facts.services import ServedPort
from eksnetpol.model.kubernetes import Service
from eksnetpol.policy.peers import SelectedPeer
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.universe import Classes, Universe


@dataclass(frozen=True, slots=True)
class Front:
    """An egress peer that means all pods behind a Service, and not the Service."""

    peer: SelectedPeer
    service: Service


@fact
def fronts(
    universe: Universe, served_ports: tuple[ServedPort, ...], selected_peers: tuple[SelectedPeer, ...]
) -> tuple[Front, ...]:
    """All egress peers by podSelector, each with the Services it misses: the controller asks what a Service selects by."""
    near: dict[str, dict[int, tuple[Service, Classes]]] = {}
    for served in served_ports:
        service = served.service
        if not service.is_headless and service.spec.cluster_ip:
            near.setdefault(service.metadata.namespace, {})[id(service)] = (service, served.backends)
    found = []
    for peer in selected_peers:
        selector = peer.peer.pod_selector
        if selector is None or selector.is_empty or not peer.classes or not _is_egress(peer):
            continue
        for namespace in (peer.namespace,) if peer.namespace else near:
            if universe.in_namespace.get(namespace, 0) & peer.classes:
                for service, backends in near.get(namespace, {}).values():
                    if not backends & ~peer.classes and not selector.matches(service.spec.selector):
                        found.append(Front(peer, service))
    return tuple(found)


def _is_egress(peer: SelectedPeer) -> bool:
    return any(rule.direction is Direction.EGRESS for rule, _ in peer.places)
