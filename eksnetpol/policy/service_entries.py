"""Which addresses of Services an egress rule opens, and which of their ports.

The agent sees a packet before a Service's address is turned into a pod's, so the controller opens both. It holds a peer's
``podSelector`` against what the Service selects by, not against the pods behind it, and looks for one port of the Service that
leads to each port of the rule; ``endPort`` goes along unchanged (aws/amazon-network-policy-controller-k8s,
pkg/resolvers/endpoints.go and pkg/k8s/service_utils.go). Ports that it then leaves out, because a named one could lead to a pod's
other port, are here: what is opened is this or less.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from eksnetpol.model.kubernetes import Service, ServicePort
from eksnetpol.model.policies import PolicyPeer, PolicyPort
from eksnetpol.model.selectors import LabelSelector
from eksnetpol.policy.declared import DeclaredPorts
from eksnetpol.policy.rules import EVERYTHING, Entry, Rule, entry
from eksnetpol.policy.universe import Classes, Universe


def opened_services(
    rule: Rule, services: Iterable[Service], universe: Universe, ports: DeclaredPorts
) -> Iterator[tuple[Service, frozenset[Entry]]]:
    """Yield those of *services* that an egress *rule* opens, with the entries for their address; one may come twice."""
    for service in services:
        if service.spec.cluster_ip in {"", "None"}:
            continue
        if any(_means(peer, rule.policy.namespace, service, universe) for peer in rule.peers):
            entries = _entries(rule.ports, service, universe, ports)
            if entries:
                yield service, entries


def _means(peer: PolicyPeer, namespace: str, service: Service, universe: Universe) -> bool:
    if peer.pod_selector is None and peer.namespace_selector is None:
        return False
    if peer.namespace_selector is None:
        near = service.namespace == namespace
    else:
        own = {"kubernetes.io/metadata.name": service.namespace}
        near = peer.namespace_selector.matches(universe.namespace_labels.get(service.namespace, own))
    return near and (peer.pod_selector is None or peer.pod_selector.matches(service.spec.selector))


def _entries(
    wanted: tuple[PolicyPort, ...], service: Service, universe: Universe, ports: DeclaredPorts
) -> frozenset[Entry]:
    if not wanted:
        return frozenset({EVERYTHING})
    behind = universe.select_in(service.namespace, LabelSelector(match_labels=service.spec.selector))
    found = set()
    for port in wanted:
        if port.port is None:
            found.add(entry(port, 0))
            continue
        leading = _leading_to(port, service.spec.ports, behind, ports)
        if leading is not None:
            found.add(entry(port, leading.port))
    return frozenset(found)


def _leading_to(
    wanted: PolicyPort, offered: tuple[ServicePort, ...], behind: Classes, ports: DeclaredPorts
) -> ServicePort | None:
    same = [p for p in offered if p.protocol == wanted.protocol]
    for offer in same:
        if (offer.port if offer.target_port is None else offer.target_port) == wanted.port:
            return offer
    for offer in same:
        if isinstance(offer.target_port, str):
            met = wanted.port in ports.meanings(offer.protocol, offer.target_port, behind)
        else:
            met = (offer.target_port or offer.port) in ports.meanings(wanted.protocol, str(wanted.port), behind)
        if met:
            return offer
    return None
