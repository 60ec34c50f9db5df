"""EKS's side of a cluster: what its API answers, and how add-ons change.

Objects are kept in the API's own JSON. Each verb takes the state and the time and returns the new state and the answer, or raises
`EksError` with the code the API uses. One update per add-on at a time; an update is *in progress* for a while and then ends; the
stored configuration is replaced, never merged (botocore's ``eks`` model; docs.aws.amazon.com/eks, "Update an Amazon EKS add-on").
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import jsonschema
import yaml

from eksnetpol.model.versions import Release
from eksnetpol.simulation.configuration_schema import configuration_schema

Json = dict[str, Any]

SETTLES_AFTER = timedelta(seconds=20)
"""How long a change of an add-on takes in this world."""


class EksError(Exception):
    """An error answer: ``code`` is the exception's name in the API's model."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Pending:
    """A change under way: what the add-on will be when ``due``, and how its update ends. ``after`` None deletes it."""

    due: datetime
    update: str
    after: Json | None
    ends: str = "Successful"
    errors: tuple[Json, ...] = ()


@dataclass(frozen=True, slots=True)
class EksCluster:
    """One cluster with what belongs to it; members are the API's JSON by their names."""

    cluster: Json
    addons: Mapping[str, Json] = field(default_factory=dict)
    pending: Mapping[str, Pending] = field(default_factory=dict)
    updates: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    fates: Mapping[str, tuple[Json, ...]] = field(default_factory=dict)
    """By add-on, the ``ErrorDetail`` objects that its next change ends with: then it fails and leaves the add-on as it was."""
    nodegroups: tuple[Json, ...] = ()
    fargate_profiles: tuple[Json, ...] = ()
    pod_identities: tuple[Json, ...] = ()
    insights: tuple[Json, ...] = ()


@dataclass(frozen=True, slots=True)
class Eks:
    """The service: clusters by name, and the ``vpc-cni`` versions it offers by Kubernetes version, newest first."""

    clusters: Mapping[str, EksCluster] = field(default_factory=dict)
    offered: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def of(self, name: str) -> EksCluster:
        """Return a cluster; raise ``ResourceNotFoundException`` where there is none."""
        if name not in self.clusters:
            raise EksError("ResourceNotFoundException", f"No cluster found for name: {name}.")
        return self.clusters[name]

    def addon(self, cluster: str, addon: str) -> Json:
        """Return an add-on; raise ``ResourceNotFoundException`` where there is none."""
        found = self.of(cluster).addons.get(addon)
        if found is None:
            raise EksError("ResourceNotFoundException", f"No addon: {addon} found in cluster: {cluster}")
        return found

    def with_cluster(self, name: str, cluster: EksCluster) -> Eks:
        """Return the service with one cluster replaced."""
        return replace(self, clusters={**self.clusters, name: cluster})


def addon_versions(eks: Eks, kubernetes: str | None, addon: str | None) -> list[Json]:
    """Return DescribeAddonVersions' ``addons``; only ``vpc-cni`` is offered here."""
    if addon not in {None, "vpc-cni"}:
        return []
    by_version: dict[str, list[Json]] = {}
    for cluster_version, versions in eks.offered.items():
        if kubernetes in {None, cluster_version}:
            for position, version in enumerate(versions):
                suits = {"clusterVersion": cluster_version, "platformVersions": ["*"], "defaultVersion": position == 1}
                by_version.setdefault(version, []).append(suits)
    ordered = sorted(by_version, key=Release.parse, reverse=True)
    described = [
        {"addonVersion": v, "architecture": ["amd64", "arm64"], "compatibilities": by_version[v], "requiresConfiguration": False}
        for v in ordered
    ]
    return [{"addonName": "vpc-cni", "type": "networking", "owner": "aws", "publisher": "eks", "addonVersions": described}]


def addon_configuration(eks: Eks, addon: str, version: str) -> Json:
    """Return DescribeAddonConfiguration's answer; raise ``ResourceNotFoundException`` for a version nobody offers."""
    if addon != "vpc-cni" or not any(version in versions for versions in eks.offered.values()):
        raise EksError("ResourceNotFoundException", f"Addon {addon} version {version} not found")
    schema = json.dumps(configuration_schema(Release.parse(version)))
    return {"addonName": addon, "addonVersion": version, "configurationSchema": schema}


def validate_values(text: str, version: str) -> None:
    """Raise ``InvalidParameterException`` when configuration values are no JSON or YAML or do not fit the schema."""
    try:
        values = yaml.safe_load(text)
        jsonschema.validate(values or {}, configuration_schema(Release.parse(version)))
    except yaml.YAMLError as error:
        raise EksError("InvalidParameterException", "ConfigurationValue is not in valid JSON or YAML format") from error
    except jsonschema.ValidationError as error:
        where = "/".join(str(p) for p in error.absolute_path) or "the document"
        message = f"ConfigurationValue provided in request is not supported: {where}: {error.message}"
        raise EksError("InvalidParameterException", message) from error


def create_addon(eks: Eks, cluster: str, wanted: Json, now: datetime) -> tuple[Eks, Json]:
    """Start creating an add-on; return the new state and CreateAddon's ``addon``."""
    here = eks.of(cluster)
    name = wanted["addonName"]
    if name in here.addons:
        raise EksError("ResourceInUseException", f"Addon already exists: {name}")
    versions = eks.offered.get(here.cluster["version"], ())
    version = wanted.get("addonVersion") or (versions[min(1, len(versions) - 1)] if versions else "")
    _refuse_unknown(versions, version)
    values = wanted.get("configurationValues", "")
    if values:
        validate_values(values, version)
    arn = here.cluster["arn"].replace(":cluster/", ":addon/") + f"/{name}/{_digest(cluster, name)}"
    addon = {
        "addonName": name,
        "clusterName": cluster,
        "status": "CREATING",
        "addonVersion": version,
        "health": {"issues": []},
        "addonArn": arn,
        "createdAt": now,
        "modifiedAt": now,
        "tags": wanted.get("tags", {}),
        **({"configurationValues": values} if values else {}),
        **_kept(wanted, "serviceAccountRoleArn"),
    }
    here = replace(here, addons={**here.addons, name: addon})
    here = _begun(here, name, Pending(now + SETTLES_AFTER, "", {**addon, "status": "ACTIVE"}), "CREATE_FAILED")
    return eks.with_cluster(cluster, here), addon


def update_addon(eks: Eks, cluster: str, name: str, wanted: Json, now: datetime) -> tuple[Eks, Json]:
    """Start updating an add-on; return the new state and UpdateAddon's ``update``.

    The same ``clientRequestToken`` again starts nothing: it is answered with the update it started.
    """
    addon = eks.addon(cluster, name)
    here = eks.of(cluster)
    number = _digest(cluster, name, wanted.get("clientRequestToken") or f"{now} {len(here.updates.get(name, {}))}")
    if number in here.updates.get(name, {}):
        return eks, here.updates[name][number]
    if name in here.pending:
        raise EksError("ResourceInUseException", f"Addon {name} is in status {addon['status']}, an update is in progress")
    version: str = wanted.get("addonVersion") or addon["addonVersion"]
    _refuse_unknown(eks.offered.get(here.cluster["version"], ()), version)
    values = wanted.get("configurationValues")
    if values:
        validate_values(values, version)
    changes = {
        "AddonVersion": wanted.get("addonVersion"),
        "ResolveConflicts": wanted.get("resolveConflicts"),
        "ConfigurationValues": values,
        "ServiceAccountRoleArn": wanted.get("serviceAccountRoleArn"),
    }
    params = [{"type": kind, "value": value} for kind, value in changes.items() if value]
    update = {"id": number, "status": "InProgress", "type": "AddonUpdate", "params": params, "createdAt": now, "errors": []}
    after = {**addon, "status": "ACTIVE", "addonVersion": version, "modifiedAt": now, **_kept(wanted, "serviceAccountRoleArn")}
    if values is not None:
        after["configurationValues"] = values
    here = replace(
        here,
        addons={**here.addons, name: {**addon, "status": "UPDATING", "modifiedAt": now}},
        updates={**here.updates, name: {**here.updates.get(name, {}), number: update}},
    )
    here = _begun(here, name, Pending(now + SETTLES_AFTER, number, after), "UPDATE_FAILED", addon)
    return eks.with_cluster(cluster, here), update


def delete_addon(eks: Eks, cluster: str, name: str, now: datetime) -> tuple[Eks, Json]:
    """Start deleting an add-on; return the new state and DeleteAddon's ``addon``."""
    addon = {**eks.addon(cluster, name), "status": "DELETING", "modifiedAt": now}
    here = eks.of(cluster)
    here = replace(here, addons={**here.addons, name: addon})
    here = _begun(here, name, Pending(now + SETTLES_AFTER, "", None), "DELETE_FAILED")
    return eks.with_cluster(cluster, here), addon


def _begun(here: EksCluster, name: str, change: Pending, failed: str, before: Json | None = None) -> EksCluster:
    """Return the cluster with a change under way; with a fate for it, it will end as *failed* and keep what was *before*."""
    fate = here.fates.get(name, ())
    if fate:
        issues = [{"code": e["errorCode"], "message": e["errorMessage"], "resourceIds": e.get("resourceIds", [])} for e in fate]
        after = {**(before or here.addons[name]), "status": failed, "health": {"issues": issues}}
        change = Pending(change.due, change.update, after, "Failed", fate)
    fates = {k: v for k, v in here.fates.items() if k != name}
    return replace(here, pending={**here.pending, name: change}, fates=fates)


def settle(eks: Eks, now: datetime) -> Eks:
    """Return the state in which everything due by *now* has ended."""
    for name, here in eks.clusters.items():
        for addon, change in here.pending.items():
            if change.due <= now:
                eks = eks.with_cluster(name, _ended(eks.of(name), addon, change))
    return eks


def _ended(here: EksCluster, addon: str, change: Pending) -> EksCluster:
    addons = {k: v for k, v in here.addons.items() if k != addon}
    if change.after is not None:
        addons[addon] = change.after
    updates = dict(here.updates)
    if change.update:
        ended = {**updates[addon][change.update], "status": change.ends, "errors": list(change.errors)}
        updates[addon] = {**updates[addon], change.update: ended}
    pending = {k: v for k, v in here.pending.items() if k != addon}
    return replace(here, addons=addons, pending=pending, updates=updates)


def _refuse_unknown(offered: tuple[str, ...], version: str) -> None:
    if version not in offered:
        raise EksError("InvalidParameterException", f"Addon version specified is not supported: {version or 'none is offered'}")


def _kept(wanted: Json, *names: str) -> Json:
    return {n: wanted[n] for n in names if wanted.get(n)}


def _digest(*parts: str) -> str:
    text = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:32]}"
