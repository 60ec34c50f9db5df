"""Peers as policies repeat them, how many pods sets stand for, and who may speak to Services."""

from __future__ import annotations

from dataclasses import dataclass

from eksnetpol.facts import policing  # noqa: F401 - declares facts that are asked for below
from eksnetpol.facts.declare import fact
from eksnetpol.model.kubernetes import ObjectMeta, Service, ServicePort, ServiceSpec
from eksnetpol.model.selectors import LabelSelector
from eksnetpol.model.snapshot import SourceKind, Unread, Why
from eksnetpol.policy.declared import DeclaredPorts
from eksnetpol.policy.isolation import Isolation
from eksnetpol.policy.openings import Openings
from eksnetpol.policy.peers import SelectedPeer, sort_out
from eksnetpol.policy.reach import Blocks
from eksnetpol.policy.rules import Rules
from eksnetpol.policy.universe import Classes, Universe
from eksnetpol.policy.weights import Weights, weigh

DNS_NAMESPACE, DNS_SERVICE = "kube-system", "kube-dns"
DNS_LABELS = {"k8s-app": "kube-dns"}
DNS_PORT = 53
ELSEWHERE = "elsewhere"
"""Stands for a ClusterIP that there is and that nobody told."""


@fact
def weights(universe: Universe) -> Weights:
    """How many pods classes stand for."""
    return weigh(universe)


@fact
def selected_peers(universe: Universe, rules: Rules, weights: Weights) -> tuple[SelectedPeer, ...]:
    """The different peers by selectors, each with the pods it means."""
    return sort_out(universe, rules, weights)


@fact
def openings(
    isolation: Isolation, egress_blocks: Blocks, selected_peers: tuple[SelectedPeer, ...], declared_ports: DeclaredPorts
) -> Openings:
    """Who may speak to which Service's address."""
    return Openings(isolation, egress_blocks, selected_peers, declared_ports)


@dataclass(frozen=True, slots=True)
class ClusterDns:
    """The Service that pods ask for names, and the pods behind it. Where ``is_known`` is false it is as EKS sets it up."""

    service: Service
    pods: Classes
    is_known: bool


@fact
def cluster_dns(universe: Universe, services: tuple[Service, ...] | Unread, source: SourceKind) -> ClusterDns | Unread:
    """``kube-system/kube-dns``. Files rarely hold it; what selects it can be told all the same, but not its address."""
    known = next((s for s in _or_none(services) if (s.namespace, s.name) == (DNS_NAMESPACE, DNS_SERVICE)), None)
    if known is None and isinstance(services, Unread) and services.why not in {Why.NOT_IN_FILES, Why.NOT_ASKED}:
        return services
    if known is None and source is not SourceKind.MANIFESTS:
        return Unread(f"there is no Service {DNS_NAMESPACE}/{DNS_SERVICE}, so what pods ask for names is not known", Why.ABSENT)
    service = known or _as_installed()
    pods = universe.select_in(DNS_NAMESPACE, LabelSelector(match_labels=service.spec.selector or DNS_LABELS))
    return ClusterDns(service, pods & ~universe.terminal, known is not None)


def _as_installed() -> Service:
    ports = tuple(ServicePort(DNS_PORT, f"dns-{p.lower()}", p, DNS_PORT) for p in ("UDP", "TCP"))
    spec = ServiceSpec(cluster_ip=ELSEWHERE, selector=DNS_LABELS, ports=ports)
    return Service(ObjectMeta(name=DNS_SERVICE, namespace=DNS_NAMESPACE), spec)


def _or_none(services: tuple[Service, ...] | Unread) -> tuple[Service, ...]:
    return () if isinstance(services, Unread) else services
