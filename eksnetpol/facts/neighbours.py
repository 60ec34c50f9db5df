"""Other enforcement engines."""

from __future__ import annotations

from collections import Counter

from eksnetpol.engines.catalog import detect
from eksnetpol.engines.engine import Presence, Surroundings
from eksnetpol.facts.declare import fact
from eksnetpol.model.kubernetes import (
    ApiService,
    ConfigMap,
    CustomObject,
    CustomResourceDefinition,
    KindCount,
    Namespace,
    Workload,
)
from eksnetpol.model.snapshot import Unread


@fact
def engines(
    daemonsets: tuple[Workload, ...],
    deployments: tuple[Workload, ...] | Unread,
    configmaps: tuple[ConfigMap, ...] | Unread,
    namespaces: tuple[Namespace, ...] | Unread,
    api_services: tuple[ApiService, ...] | Unread,
    crds: tuple[CustomResourceDefinition, ...] | Unread,
    engine_settings: tuple[CustomObject, ...] | Unread,
    foreign_kinds: tuple[KindCount, ...] | Unread,
) -> tuple[Presence, ...]:
    """Every other engine there is a trace of. DaemonSets must be readable: agents are DaemonSets."""
    groups = Counter(c.spec.group for c in crds) if not isinstance(crds, Unread) else Counter[str]()
    return detect(
        Surroundings(
            daemonsets=daemonsets,
            deployments=() if isinstance(deployments, Unread) else deployments,
            configmaps=() if isinstance(configmaps, Unread) else configmaps,
            namespaces=() if isinstance(namespaces, Unread) else namespaces,
            api_services=() if isinstance(api_services, Unread) else api_services,
            crd_groups=groups,
            settings=() if isinstance(engine_settings, Unread) else engine_settings,
            foreign_kinds=() if isinstance(foreign_kinds, Unread) else foreign_kinds,
        )
    )
