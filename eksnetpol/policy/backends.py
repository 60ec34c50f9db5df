"""Services as engines see them: which pods stand behind one, where each of its ports leads, and who may speak to its address."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from eksnetpol.model.kubernetes import Service, ServicePort
from eksnetpol.model.selectors import LabelSelector
from eksnetpol.policy.atlas import Chart
from eksnetpol.policy.universe import Classes


def behind(service: Service, chart: Chart) -> Classes:
    """Return the classes of a Service's pods; none where it selects nothing, its endpoints are then somebody else's."""
    if not service.spec.selector:
        return 0
    return chart.universe.select_in(service.namespace, LabelSelector(match_labels=service.spec.selector))


def target(port: ServicePort, index: int, chart: Chart) -> int | None:
    """Return the number that a port of a Service has on a class of its pods; None where the pods do not know its name."""
    if not isinstance(port.target_port, str):
        return port.target_port or port.port
    declared = chart.sidecar_ports[index]
    return next((n for protocol, name, n in declared if (protocol, name) == (port.protocol, port.target_port)), None)


def offered(service: Service, protocol: str, number: int) -> ServicePort | None:
    """Return the port of a Service that has this protocol and number."""
    return next((p for p in service.spec.ports if (p.protocol, p.port) == (protocol, number)), None)


def has_address(service: Service) -> bool:
    """Say whether a Service has, or will get, a ClusterIP; others are reached at their pods' own addresses."""
    return service.spec.cluster_ip != "None" and service.spec.type != "ExternalName"


def with_address(services: Iterable[Service]) -> tuple[Service, ...]:
    """Return the Services that have a ClusterIP, or will get one: files do not say it."""
    found = []
    for service in services:
        if service.spec.cluster_ip and service.spec.cluster_ip != "None":
            found.append(service)
        elif has_address(service):
            found.append(replace(service, spec=replace(service.spec, cluster_ip="planned")))
    return tuple(found)
