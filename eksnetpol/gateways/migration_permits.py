"""Which objects a migration touches beyond those of the VPC CNI, as permissions: by name wherever a name is known.

What engines consist of is named in `engines.parts`. Nodes have any name, policies too. An engine may be in a namespace of its
own, so names hold in all of them. Nobody may read a Secret.
"""

from __future__ import annotations

from eksnetpol.engines import parts
from eksnetpol.gateways.permits import RbacPermission, rbac
from eksnetpol.model import engine_kinds, kinds
from eksnetpol.model.kinds import Kind

CLEANERS = "kube-system"
"""Where the Jobs run that clean nodes."""

_DEFINITIONS = tuple(sorted({name for way in parts.EVERY_WAY for name in way.definitions}))
_NAMESPACES = tuple(sorted({name for way in parts.EVERY_WAY for name in way.namespaces}))
_OWN = (*engine_kinds.CALICO_STORED, *engine_kinds.CALICO_SHOWN, *engine_kinds.CALICO_SETTINGS, *engine_kinds.CILIUM_POLICIES,
        *engine_kinds.CILIUM_STATE)  # fmt: skip
_TOLD = (engine_kinds.WHISKER, engine_kinds.GOLDMANE, engine_kinds.CALICO_API_SERVER, engine_kinds.INSTALLATION)
_PARTS = tuple(sorted(parts.kinds_written()))


def _on(verb: str, kind: Kind, *names: str, namespace: str = "") -> RbacPermission:
    return rbac(verb, kind.plural, kind.group, names, namespace=namespace)


def _parts(verb: str) -> tuple[RbacPermission, ...]:
    return tuple(_on(verb, kind, *parts.names_of(kind)) for kind in _PARTS)


def _each(verb: str, *of: Kind) -> tuple[RbacPermission, ...]:
    return tuple(_on(verb, kind) for kind in of)


READ = (
    *_parts("get"),
    *_each("get", *_OWN, *_TOLD, kinds.NODE, kinds.POD),
    _on("get", kinds.DEFINITION, *_DEFINITIONS),
    _on("get", kinds.NAMESPACE, *_NAMESPACES),
    _on("get", kinds.JOB, namespace=CLEANERS),
    _on("get", kinds.JOB),
)
LISTED = (
    *_each("list", *_PARTS, *_OWN, *_TOLD),
    *_each("list", kinds.NODE, kinds.POD, kinds.NAMESPACE, kinds.DEFINITION, kinds.CONTROLLER_REVISION, kinds.ENDPOINT_SLICE),
    _on("list", kinds.JOB, namespace=CLEANERS),
)
WATCHED = (
    *_parts("watch"),
    *_each("watch", *_OWN, *_TOLD, kinds.NODE, kinds.POD),
    _on("watch", kinds.DEFINITION, *_DEFINITIONS),
    _on("watch", kinds.NAMESPACE, *_NAMESPACES),
    _on("watch", kinds.JOB, namespace=CLEANERS),
)
CREATED = (
    _on("create", kinds.JOB, namespace=CLEANERS),
    # Probes are like pods of workloads, and so where these are.
    _on("create", kinds.JOB),
    # To put back what was taken away, from the run's copies: RBAC knows no names for that.
    *_each("create", *(kind for kind in _PARTS if kind != kinds.CLUSTER_ROLE), *_OWN, *_TOLD, kinds.NAMESPACE),
    _on("bind", kinds.CLUSTER_ROLE, *parts.names_of(kinds.CLUSTER_ROLE)),
)
APPLIED = (
    _on("patch", kinds.NODE),
    _on("patch", engine_kinds.INSTALLATION),
    _on("patch", kinds.DAEMONSET, *parts.names_of(kinds.DAEMONSET)),
    # Roles are put back by an apply, whose path has their name: only there does a right to escalate by name hold.
    *(_on(verb, kinds.CLUSTER_ROLE, *parts.names_of(kinds.CLUSTER_ROLE)) for verb in ("patch", "create", "escalate")),
)
PATCHED = tuple(dict.fromkeys(_on("patch", kind) for way in parts.EVERY_WAY for _, kind in way.bound))
DELETED = (
    *_parts("delete"),
    *_each("delete", *_OWN, *_TOLD),
    _on("delete", kinds.DEFINITION, *_DEFINITIONS),
    _on("delete", kinds.NAMESPACE, *_NAMESPACES),
    _on("delete", kinds.JOB, namespace=CLEANERS),
    _on("delete", kinds.JOB),
)
