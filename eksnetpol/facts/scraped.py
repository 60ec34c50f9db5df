"""Who scrapes metrics, and where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from eksnetpol.facts import policing, services  # noqa: F401 - declare facts that are asked for below
from eksnetpol.facts.declare import fact
from eksnetpol.facts.services import ServedPort
from eksnetpol.model.kubernetes import CustomObject
from eksnetpol.model.selectors import LabelSelector
from eksnetpol.policy.declared import DeclaredPorts
from eksnetpol.policy.universe import Classes, Universe

_NAMED = (("app.kubernetes.io/name", "prometheus"), ("app", "prometheus"), ("app.kubernetes.io/name", "prometheus-agent"))
"""Labels that Prometheus' own charts and operator give its pods."""


@dataclass(frozen=True, slots=True)
class Scraped:
    """``by`` are pods of Prometheus; ``targets`` the pods each port is scraped at, by its number, always over TCP."""

    by: Classes
    targets: Mapping[int, Classes]


@fact
def scraped(
    universe: Universe,
    scrapers: tuple[CustomObject, ...],
    served_ports: tuple[ServedPort, ...],
    declared_ports: DeclaredPorts,
) -> Scraped:
    """What ServiceMonitors and PodMonitors ask for. Configuration that Prometheus reads from files is not seen."""
    by = 0
    for label in _NAMED:
        by |= universe.with_label(*label)
    targets: dict[int, Classes] = {}
    for scraper in scrapers:
        if "endpoints" in scraper.spec:
            pairs = _of_services(scraper, served_ports)
        else:
            pairs = _of_pods(scraper, universe, declared_ports)
        for number, classes in pairs:
            targets[number] = targets.get(number, 0) | classes
    return Scraped(by & ~universe.terminal, targets)


def _of_services(scraper: CustomObject, served_ports: tuple[ServedPort, ...]) -> Iterator[tuple[int, Classes]]:
    selector = _selector(scraper)
    wanted = [(e.get("port"), e.get("targetPort")) for e in scraper.spec.get("endpoints") or ()]
    for served in served_ports:
        if not _is_near(scraper, served.service.namespace) or not selector.matches(served.service.metadata.labels):
            continue
        for name, target in wanted:
            if (name and served.port.name == name) or (target and served.port.target_port == target):
                yield from served.targets.items()


def _of_pods(scraper: CustomObject, universe: Universe, ports: DeclaredPorts) -> Iterator[tuple[int, Classes]]:
    within = 0
    for namespace, classes in universe.in_namespace.items():
        if _is_near(scraper, namespace):
            within |= classes
    chosen = universe.select(_selector(scraper), within) & ~universe.terminal
    for entry in scraper.spec.get("podMetricsEndpoints") or ():
        number = entry.get("portNumber")
        if isinstance(number, int):
            yield number, chosen
        elif entry.get("port"):
            yield from ports.meanings("TCP", str(entry["port"]), chosen).items()


def _selector(scraper: CustomObject) -> LabelSelector:
    return msgspec.convert(scraper.spec.get("selector") or {}, LabelSelector)


def _is_near(scraper: CustomObject, namespace: str) -> bool:
    asked: Any = scraper.spec.get("namespaceSelector") or {}
    if asked.get("any"):
        return True
    names = asked.get("matchNames")
    return namespace in names if names else namespace == scraper.metadata.namespace
