"""Between a snapshot's sections and the API's objects, both ways.

Objects made of a snapshot are partial: they hold what a snapshot keeps and nothing that was invented. What the door of a look
works out by itself (digests of schemas, images of revisions) is worked out here for objects that are new.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from eksnetpol.errors import EksNetpolError
from eksnetpol.model import kinds
from eksnetpol.model import kubernetes as k8s
from eksnetpol.model import policies as pol
from eksnetpol.model.digests import schema_digest
from eksnetpol.model.engine_kinds import CALICO_SETTINGS, CALICO_SHOWN, CALICO_STORED, CILIUM_POLICIES, OPERATOR_KINDS
from eksnetpol.model.foreign import ForeignPolicy, foreign_policy
from eksnetpol.model.kinds import Json, Kind
from eksnetpol.model.snapshot import ClusterSnapshot, Unread, Why


class Section(NamedTuple):
    """Where a snapshot keeps the objects of a kind, and as what."""

    name: str
    struct: type[msgspec.Struct]


SECTIONS: Mapping[Kind, Section] = {
    kinds.DAEMONSET: Section("daemonsets", k8s.Workload),
    kinds.DEPLOYMENT: Section("deployments", k8s.Workload),
    kinds.STATEFUL_SET: Section("statefulsets", k8s.Workload),
    kinds.JOB: Section("jobs", k8s.Workload),
    kinds.DISRUPTION_BUDGET: Section("disruption_budgets", k8s.DisruptionBudget),
    kinds.CONTROLLER_REVISION: Section("controller_revisions", k8s.ControllerRevision),
    kinds.CONFIGMAP: Section("configmaps", k8s.ConfigMap),
    kinds.SERVICE_ACCOUNT: Section("service_accounts", k8s.ServiceAccount),
    kinds.NODE: Section("nodes", k8s.Node),
    kinds.NAMESPACE: Section("namespaces", k8s.Namespace),
    kinds.CLUSTER_ROLE: Section("cluster_roles", k8s.ClusterRole),
    kinds.CLUSTER_ROLE_BINDING: Section("cluster_role_bindings", k8s.ClusterRoleBinding),
    kinds.DEFINITION: Section("crds", k8s.CustomResourceDefinition),
    kinds.NETWORK_POLICY: Section("network_policies", pol.NetworkPolicy),
    kinds.APPLICATION_POLICY: Section("application_policies", pol.NetworkPolicy),
    kinds.CLUSTER_POLICY: Section("cluster_policies", pol.ClusterNetworkPolicy),
    kinds.POLICY_ENDPOINT: Section("policy_endpoints", pol.PolicyEndpoint),
    kinds.CLUSTER_POLICY_ENDPOINT: Section("cluster_policy_endpoints", pol.PolicyEndpoint),
    kinds.NODE_CLASS: Section("node_classes", k8s.CustomObject),
    kinds.SERVICE: Section("services", k8s.Service),
    kinds.API_SERVICE: Section("api_services", k8s.ApiService),
    kinds.VALIDATING_WEBHOOKS: Section("webhooks", k8s.WebhookConfiguration),
    kinds.MUTATING_WEBHOOKS: Section("webhooks", k8s.WebhookConfiguration),
    kinds.ADMISSION_POLICY: Section("admission_policies", k8s.AdmissionPolicy),
    kinds.ADMISSION_BINDING: Section("admission_bindings", k8s.AdmissionPolicyBinding),
    **dict.fromkeys((*OPERATOR_KINDS, *CALICO_SETTINGS), Section("engine_settings", k8s.CustomObject)),
    **dict.fromkeys((*CALICO_STORED, *CALICO_SHOWN, *CILIUM_POLICIES), Section("foreign_policies", ForeignPolicy)),
}
"""Kinds whose objects a snapshot holds one to one. Leases are in none; the agent's pods come from `agents`, others from `pods`.

Some sections hold objects of several kinds, each saying what it is.
"""

_SHARED = frozenset({"webhooks", "engine_settings", "foreign_policies"})


def kinds_of(section: str) -> tuple[Kind, ...]:
    """Return the kinds whose objects are in *section*."""
    return tuple(kind for kind, where in SECTIONS.items() if where.name == section)


def is_of(one: Any, kind: Kind) -> bool:
    """Say whether an entry of a section is of *kind*: only those of sections with several kinds say what they are."""
    said = getattr(one, "api_version", "")
    return bool(one.kind == kind.name and said in {"", kind.api_version})


_LATE = frozenset({kinds.DISRUPTION_BUDGET})
"""Kinds that looks of before did not ask for: where a snapshot is that old, the plan says that they are not known."""


def seen(snapshot: ClusterSnapshot, kind: Kind) -> tuple[Any, ...]:
    """Return what the snapshot holds of *kind*; raise `EksNetpolError` where it was not read: nothing may be made up for it."""
    section = getattr(snapshot, SECTIONS[kind].name)
    if isinstance(section, Unread) and section.why is Why.NOT_ASKED and kind in _LATE:
        return ()
    if isinstance(section, Unread):
        raise EksNetpolError(
            f"This cannot be rehearsed: the snapshot does not say which {kind} there are ({section.reason}). "
            "Take one that could read them: eksnetpol snapshot save"
        )
    found = tuple(section.value)
    return tuple(one for one in found if is_of(one, kind)) if SECTIONS[kind].name in _SHARED else found


def objects(kind: Kind, found: Iterable[Any]) -> Iterator[Json]:
    """Yield the API's objects of *kind* for what a section holds."""
    for one in found:
        # By way of JSON: `to_builtins` leaves tuples, which are no lists of the API's.
        plain = msgspec.json.decode(msgspec.json.encode(one.body if isinstance(one, ForeignPolicy) else one))
        for line in plain.setdefault("metadata", {}).get("managedFields", ()):
            # What a look does not keep of these lines: all kinds here have one version.
            line.setdefault("apiVersion", kind.api_version)
            line.setdefault("operation", "Update")
        yield {**plain, "apiVersion": kind.api_version, "kind": kind.name}


def structs(kind: Kind, found: Iterable[Json]) -> tuple[Any, ...]:
    """Return objects of *kind* as a snapshot's section keeps them."""
    if SECTIONS[kind].struct is ForeignPolicy:
        return tuple(foreign_policy(one, kind.api_version, kind.name) for one in found)
    ready = (_WORKED_OUT.get(kind, _as_it_is)(one) for one in found)
    return tuple(msgspec.convert(one, SECTIONS[kind].struct, strict=False) for one in ready)


def _as_it_is(found: Json) -> Json:
    return found


def _definition(found: Json) -> Json:
    spec = found.get("spec", {})
    schemas = {v["name"]: v["schema"] for v in spec.get("versions", ()) if "schema" in v}
    if not schemas:
        return found
    return {**found, "spec": {**spec, "schemaDigest": schema_digest(schemas)}}


def _revision(found: Json) -> Json:
    spec = found.get("data", {}).get("spec", {}).get("template", {}).get("spec", {})
    containers = [*spec.get("initContainers", ()), *spec.get("containers", ())]
    images = [f"{c['name']}={c['image']}" for c in containers if "image" in c]
    return {**found, "images": images} if images else found


_WORKED_OUT = {kinds.DEFINITION: _definition, kinds.CONTROLLER_REVISION: _revision}
