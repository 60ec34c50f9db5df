"""What a look saw, as objects of the API again: as far as it kept them.

A snapshot leaves fields out. A field that somebody owns and that has no value here is *not known*, never *not there*.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from eksnetpol.facts.agent_rights import ROLE
from eksnetpol.facts.declare import Lookup
from eksnetpol.facts.vpc_cni import CONFIGMAP, NAMESPACE, VpcCni
from eksnetpol.fields import paths
from eksnetpol.fields.owners import owners
from eksnetpol.model import kinds
from eksnetpol.model.kinds import Json, Kind
from eksnetpol.model.kubernetes import ClusterRole, ConfigMap, ObjectMeta
from eksnetpol.planning.reading import need


def as_json(found: Any) -> Any:
    """Return *found* in the API's JSON, by way of it: `msgspec.to_builtins` leaves tuples, which are no lists of the API's."""
    return msgspec.json.decode(msgspec.json.encode(found))


def as_object(found: Any, kind: Kind) -> Json:
    """Return *found*, a struct with metadata, as an object of *kind*."""
    whole: Json = as_json(found)
    for line in whole["metadata"].get("managedFields", ()):
        # What a look does not keep of these lines: all kinds here have one version.
        line.setdefault("apiVersion", kind.api_version)
        line.setdefault("operation", "Update")
    return {**whole, "apiVersion": kind.api_version, "kind": kind.name}


def daemonset(cni: VpcCni) -> Json:
    """Return the ``aws-node`` DaemonSet."""
    return as_object(cni.workload, kinds.DAEMONSET)


def configmap(facts: Lookup) -> ConfigMap | None:
    """Return the VPC CNI's ConfigMap, None where there is none; raise as `need` where ConfigMaps are unread."""
    found: tuple[ConfigMap, ...] = need(facts, "configmaps")
    return next((c for c in found if (c.metadata.namespace, c.metadata.name) == (NAMESPACE, CONFIGMAP)), None)


def cluster_role(facts: Lookup) -> ClusterRole | None:
    """Return ClusterRole ``aws-node``, None where there is none; raise as `need` where ClusterRoles are unread."""
    found: tuple[ClusterRole, ...] = need(facts, "cluster_roles")
    return next((r for r in found if r.metadata.name == ROLE), None)


def owners_by_text(meta: ObjectMeta) -> Mapping[str, tuple[str, ...]]:
    """Return who owns each field of an object, by its path as the API server writes it."""
    return {paths.text(path): tuple(sorted(who)) for path, who in owners(meta.managed_fields).items()}


def owners_at(by_text: Mapping[str, tuple[str, ...]], path: str) -> tuple[str, ...]:
    """Return who owns the field at *path*, or else what is right below it: the name of a variable beside its value."""
    return by_text.get(path) or next((who for known, who in by_text.items() if known.startswith((f"{path}.", f"{path}["))), ())
