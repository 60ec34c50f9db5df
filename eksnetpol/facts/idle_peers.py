"""Peers by selectors that mean no pod, and what they may have been meant for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from eksnetpol.facts import openings  # noqa: F401 - declares a fact that is asked for below
from eksnetpol.facts.declare import fact
from eksnetpol.facts.templates import Templates
from eksnetpol.model.kubernetes import Namespace, Service
from eksnetpol.model.policies import PolicyPeer
from eksnetpol.model.snapshot import Unread
from eksnetpol.policy.peers import SelectedPeer
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.universe import Universe

ACROSS = (
    "topology.istio.io/cluster",
    "topology.istio.io/network",
    "topology.kubernetes.io/region",
    "io.cilium.k8s.policy.cluster",
    "cluster.x-k8s.io/cluster-name",
    "cluster-name",
    "cluster",
)
"""Keys of labels that tell clusters apart, where several are joined."""


@dataclass(frozen=True, slots=True)
class IdlePeer:
    """A peer that means no running pod. ``namespaces`` are those it speaks of; ``service`` is one without pods that it may mean.

    ``is_remote`` says that it asks for another cluster, as far as its labels tell.
    """

    peer: SelectedPeer
    namespaces: tuple[str, ...]
    service: Service | None
    is_remote: bool


@fact
def idle_peers(
    universe: Universe,
    selected_peers: tuple[SelectedPeer, ...],
    services: tuple[Service, ...] | Unread,
    namespaces: tuple[Namespace, ...] | Unread,
    templates: Templates,
) -> tuple[IdlePeer, ...]:
    """All peers that mean no running pod. Those for everybody in a namespace are left out, and those for pods that a workload
    makes: they may come.
    """
    known = dict(universe.namespace_labels)
    for namespace in () if isinstance(namespaces, Unread) else namespaces:
        known.setdefault(namespace.name, {"kubernetes.io/metadata.name": namespace.name, **namespace.metadata.labels})
    without_pods = [s for s in (() if isinstance(services, Unread) else services) if not s.spec.selector]
    found = []
    for peer in selected_peers:
        if peer.classes or _means_everybody_here(peer.peer):
            continue
        here = tuple(_namespaces_of(peer, known))
        if templates.any(here, peer.peer.pod_selector):
            continue
        egress = any(rule.direction is Direction.EGRESS for rule, _ in peer.places)
        service = next((s for s in without_pods if _is_meant(peer.peer, s, here)), None) if egress else None
        found.append(IdlePeer(peer, here, service, any(key in ACROSS for key in _keys(peer.peer))))
    return tuple(found)


def _means_everybody_here(peer: PolicyPeer) -> bool:
    return peer.namespace_selector is None and peer.pod_selector is not None and peer.pod_selector.is_empty


def _namespaces_of(peer: SelectedPeer, known: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    if peer.peer.namespace_selector is None:
        yield peer.namespace
        return
    for name, labels in known.items():
        if peer.peer.namespace_selector.matches(labels):
            yield name


def _is_meant(peer: PolicyPeer, service: Service, namespaces: Iterable[str]) -> bool:
    """Say whether *peer* may mean *service*: its labels are the Service's, or one of them is the Service's name."""
    if service.namespace not in namespaces or peer.pod_selector is None or peer.pod_selector.is_empty:
        return False
    return service.name in peer.pod_selector.match_labels.values() or peer.pod_selector.matches(service.metadata.labels)


def _keys(peer: PolicyPeer) -> Iterator[str]:
    for selector in (peer.pod_selector, peer.namespace_selector):
        if selector is not None:
            yield from selector.match_labels
            for requirement in selector.match_expressions:
                yield requirement.key
