"""No aggregated API of another engine is registered that does not answer."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import check
from eksnetpol.checks.words import count
from eksnetpol.engines.catalog import catalog
from eksnetpol.model.findings import Evidence, Finding, Intent, Severity, Subject
from eksnetpol.model.kubernetes import ApiService


@check(
    title="every API that another engine registered answers",
    severity=Severity.WARNING,
    docs="https://github.com/projectcalico/calico/issues/8436",
    sources=("projectcalico/calico#7555", "projectcalico/calico#8436", "tigera/operator#2031", "tigera/operator#3413"),
    intents=frozenset({Intent.ENABLE, Intent.MIGRATE}),
)
def no_stale_engine_api_remains(api_services: tuple[ApiService, ...]) -> Iterator[Finding | Evidence]:
    """
    Calico and Antrea serve some of their kinds through the API server's aggregation. Where such an APIService outlives its
    server, discovery fails for the whole cluster: namespaces can no longer be deleted, and garbage collection stops.
    """
    groups = tuple(group for engine in catalog() for group in engine.groups)
    theirs = [a for a in api_services if a.spec.service is not None and _is_in(a.spec.group, groups)]
    yield Evidence(f"{count(len(theirs), 'aggregated API')} of other engines")
    for service in theirs:
        state = next((c for c in service.status.conditions if c.type == "Available"), None)
        if state is None or state.status != "False":
            continue
        yield Finding(
            subject=Subject("APIService", service.metadata.name),
            message=f"{service.metadata.name} does not answer ({state.reason or 'no reason given'}): discovery fails for all",
            remedy="Bring its server back, or delete the APIService if the engine is gone; stored objects stay.",
            command=f"kubectl get apiservice {service.metadata.name} -o yaml",
        )


def _is_in(group: str, groups: tuple[str, ...]) -> bool:
    return any(group == g or group.endswith(f".{g}") for g in groups)
