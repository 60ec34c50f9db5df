"""Services as policies meet them: which pods are behind each port, and under which number they listen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from eksnetpol.facts import policing  # noqa: F401 - declares facts that are asked for below
from eksnetpol.facts.declare import fact
from eksnetpol.model.kubernetes import Service, ServicePort
from eksnetpol.model.selectors import LabelSelector
from eksnetpol.policy.declared import DeclaredPorts
from eksnetpol.policy.isolation import Isolation
from eksnetpol.policy.rules import Direction, Rule, Rules, peer_classes
from eksnetpol.policy.universe import Classes, Universe


@dataclass(frozen=True, slots=True)
class ServedPort:
    """A port of a Service: the running pods behind it, and which of them listen on which number."""

    service: Service
    port: ServicePort
    backends: Classes
    targets: Mapping[int, Classes]

    @property
    def translates(self) -> bool:
        """True when somebody behind it listens on another number, and clients see the Service's own."""
        return not self.service.is_headless and any(number != self.port.port for number in self.targets)

    @property
    def words(self) -> str:
        """``80 to 8080/TCP``, the way it maps."""
        return f"{self.port.port} to {' and '.join(map(str, sorted(self.targets)))}/{self.port.protocol}"


@fact
def served_ports(
    services: tuple[Service, ...], universe: Universe, declared_ports: DeclaredPorts
) -> tuple[ServedPort, ...]:
    """All ports of Services that select running pods."""
    running = universe.everything & ~universe.terminal
    found: list[ServedPort] = []
    for service in services:
        spec = service.spec
        if not spec.selector or spec.type == "ExternalName":
            continue
        namespace = service.metadata.namespace
        backends = universe.select_in(namespace, LabelSelector(match_labels=spec.selector)) & running
        if backends:
            found += [ServedPort(service, p, backends, _targets(p, backends, declared_ports)) for p in spec.ports]
    return tuple(found)


def _targets(port: ServicePort, backends: Classes, declared: DeclaredPorts) -> Mapping[int, Classes]:
    if isinstance(port.target_port, str):
        return declared.meanings(port.protocol, port.target_port, backends)
    return {port.target_port or port.port: backends}


@fact
def ported_rules(isolation: Isolation, rules: Rules) -> tuple[tuple[Rule, Classes], ...]:
    """Rules that name ports, with the pods that must listen there.

    For ingress these are the pods that the policy selects, for egress those that its selectors mean as peers.
    """
    universe = isolation.universe
    running = universe.everything & ~universe.terminal
    found = []
    for rule in rules.everything:
        if rule.ports:
            if rule.direction is Direction.INGRESS:
                there = isolation.subjects[rule.at].selected & running
            else:
                there = 0
                for peer in rule.peers:
                    there |= peer_classes(universe, rule.policy.metadata.namespace, peer)
            if there:
                found.append((rule, there))
    return tuple(found)


@fact
def name_rules(ported_rules: tuple[tuple[Rule, Classes], ...], rules: Rules) -> tuple[tuple[Rule, Classes], ...]:
    """Those of `ported_rules` that name a port by its name; they are few."""
    by_name = {id(rule) for rule in rules.with_names}
    return tuple((rule, there) for rule, there in ported_rules if id(rule) in by_name)
