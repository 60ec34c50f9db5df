"""Which kinds an API server has, and what is particular about the objects of some."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eksnetpol.fields.structure import Layout
from eksnetpol.fields.values import same
from eksnetpol.model.kinds import DEFINITION, Json
from eksnetpol.simulation.store import Family

DEFINITIONS: Family = (DEFINITION.api_version, DEFINITION.name)

CLEAN_UP = "customresourcecleanup.apiextensions.k8s.io"
"""The finalizer of a CustomResourceDefinition that goes: its objects go first."""

_BUILT_IN = frozenset(
    {
        "",
        "apps",
        "autoscaling",
        "batch",
        "policy",
        *(
            f"{group}.k8s.io"
            for group in (
                "admissionregistration",
                "apiextensions",
                "apiregistration",
                "authentication",
                "authorization",
                "certificates",
                "coordination",
                "discovery",
                "events",
                "flowcontrol.apiserver",
                "networking",
                "node",
                "rbac.authorization",
                "resource",
                "scheduling",
                "storage",
            )
        ),
    }
)

_COUNTED = frozenset({"DaemonSet", "Deployment", "StatefulSet", "ReplicaSet", "NetworkPolicy", "CustomResourceDefinition"})
"""The API server's own kinds with a generation."""


def is_custom(api_version: str) -> bool:
    """Say whether the kinds of this version are only there by a CustomResourceDefinition."""
    group = api_version.rpartition("/")[0]
    return group not in _BUILT_IN


def counts_generations(obj: Json) -> bool:
    """Say whether *obj* is of a kind whose objects say how often what is wanted of them changed."""
    return is_custom(str(obj["apiVersion"])) or obj["kind"] in _COUNTED


def wants_something_else(before: Json, after: Json, layout: Layout) -> bool:
    """Say whether more than metadata (and status, where it is written apart) differs."""
    apart = {"metadata", "status"} if layout.status else {"metadata"}
    return not same(_without(before, apart), _without(after, apart))


def _without(obj: Mapping[str, Any], names: set[str]) -> Json:
    return {name: value for name, value in obj.items() if name not in names}


def definition_of(family: Family, definitions: Mapping[Any, Json]) -> Json | None:
    """Return the CustomResourceDefinition by which a kind is served, None without one."""
    group, _, version = family[0].rpartition("/")
    for found in definitions.values():
        spec = found.get("spec", {})
        if spec.get("group") == group and spec.get("names", {}).get("kind") == family[1]:
            versions = spec.get("versions")
            # What was read of a cluster may hold no versions: then it is not known that this one is not served.
            if not versions or any(one.get("name") == version and one.get("served", True) for one in versions):
                return found
    return None


def established(definition: Json, at: str) -> Json:
    """Return a CustomResourceDefinition with the status it has once the API server serves it."""
    spec = definition.get("spec", {})
    names = dict(spec.get("names", {}))
    if "kind" in names:
        names = {"listKind": f"{names['kind']}List", "singular": str(names["kind"]).lower(), **names}
    conditions = [
        {"lastTransitionTime": at, "message": message, "reason": reason, "status": "True", "type": name}
        for name, reason, message in (
            ("NamesAccepted", "NoConflicts", "no conflicts found"),
            ("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        )
    ]
    stored = [one["name"] for one in spec.get("versions", ()) if one.get("storage")]
    old = definition.get("status", {}).get("storedVersions") or []
    versions = [*old, *(name for name in stored if name not in old)]
    return {**definition, "status": {"acceptedNames": names, "conditions": conditions, "storedVersions": versions}}
