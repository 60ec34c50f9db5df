"""EKS's side of a cluster: what is known of it, and what its API answers to questions.

Objects are kept in the API's own JSON. How add-ons change is in `eks_changes.py` (the verbs) and `eks_settling.py` (what time and
the cluster make of them); tags are in `eks_tags.py`. All of it is pure: state and time go in, state and answer come out, or
`EksError` is raised with the code the API uses.

What AWS documents nothing about is chosen here and marked ``[?]``; nothing outside this room may lean on it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

import jsonschema
import yaml

from eksnetpol.model.versions import Release
from eksnetpol.simulation.configuration_schema import configuration_schema

Json = dict[str, Any]


class EksError(Exception):
    """An error answer: ``code`` is the exception's name in the API's model."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Timing:
    """How long what takes. AWS publishes none of it ``[?]``: these are of the size that people report.

    ``stale`` is how long DescribeAddon still shows the state before a change, ``begins`` when the objects are written,
    ``settles`` when a change may end at the earliest. ``degraded`` is how long a roll-out may stand still before the add-on
    counts as DEGRADED, ``gives_up`` how long after the objects were written an unfinished roll-out makes the update fail.
    """

    stale: timedelta = timedelta(seconds=2)
    begins: timedelta = timedelta(seconds=5)
    settles: timedelta = timedelta(seconds=20)
    degraded: timedelta = timedelta(minutes=5)
    gives_up: timedelta = timedelta(minutes=40)


@dataclass(frozen=True, slots=True)
class Fate:
    """What is to become of one change, for tests and rehearsals.

    With ``errors`` (``ErrorDetail`` objects of the API) it fails with them, before anything is written or, with ``written``,
    after. ``ails`` is how long the add-on is DEGRADED once the change has succeeded, before it is ACTIVE.
    """

    errors: tuple[Json, ...] = ()
    written: bool = False
    ails: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Effect:
    """What a change does to the objects in the cluster: the caller performs it (`addon_effects.perform`) and tells how it went.

    ``values`` is the add-on's whole configuration afterwards, one JSON or YAML text. ``formerly`` is the version before, empty
    for none. A deletion with ``preserve`` has no effect on objects.
    """

    cluster: str
    addon: str
    verb: Literal["create", "update", "delete"]
    version: str
    values: str = ""
    role: str = ""
    resolve: str = "NONE"
    preserve: bool = False
    formerly: str = ""
    family: str = "ipv4"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an effect went: ``errors`` are ``ErrorDetail`` objects of the API, none where everything was written."""

    errors: tuple[Json, ...] = ()


@dataclass(frozen=True, slots=True)
class Pending:
    """A change under way. ``before`` is the add-on as it was (None: none was), ``after`` as it is to be (None: gone).

    ``update`` is the id of its Update, empty where the API makes none. ``written`` is when the objects were. ``progress`` counts
    the pods of the DaemonSet with the new template and those available, ``progressed`` is when that last changed.
    """

    started: datetime
    effect: Effect
    before: Json | None
    after: Json | None
    update: str = ""
    fate: Fate = Fate()
    written: datetime | None = None
    progress: tuple[int, int] = (-1, -1)
    progressed: datetime | None = None


@dataclass(frozen=True, slots=True)
class EksCluster:
    """One cluster with what belongs to it; members are the API's JSON by their names."""

    cluster: Json
    addons: Mapping[str, Json] = field(default_factory=dict)
    pending: Mapping[str, Pending] = field(default_factory=dict)
    updates: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    fates: Mapping[str, tuple[Fate, ...]] = field(default_factory=dict)
    """By add-on, what becomes of its next changes, the first of the next one."""
    ailing: Mapping[str, datetime] = field(default_factory=dict)
    """Add-ons that are DEGRADED with no change under way, and when they may be ACTIVE at the earliest."""
    tokens: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """By ``clientRequestToken``, a digest of the request it came with, and the id of its Update."""
    nodegroups: tuple[Json, ...] = ()
    fargate_profiles: tuple[Json, ...] = ()
    pod_identities: tuple[Json, ...] = ()
    insights: tuple[Json, ...] = ()


@dataclass(frozen=True, slots=True)
class Eks:
    """The service: clusters by name, and the ``vpc-cni`` versions it offers by Kubernetes version, newest first.

    ``schemas`` are configuration schemas, as JSON texts by add-on version, where more is known than `configuration_schema` says.
    """

    clusters: Mapping[str, EksCluster] = field(default_factory=dict)
    offered: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    timing: Timing = Timing()
    schemas: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)
    """Default add-on versions by Kubernetes version; without one the second newest stands for it."""

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

    def updates(self, cluster: str, addon: str) -> tuple[Json, ...]:
        """Return the updates of an add-on, the newest first. Raises ``ResourceNotFoundException`` without such a cluster."""
        return tuple(reversed(list(self.of(cluster).updates.get(addon, {}).values())))

    def update(self, cluster: str, addon: str, number: str) -> Json:
        """Return one update of an add-on; raise ``ResourceNotFoundException`` where there is none."""
        found = self.of(cluster).updates.get(addon, {}).get(number)
        if found is None:
            raise EksError("ResourceNotFoundException", f"No update found for ID: {number}")
        return found

    def with_cluster(self, name: str, cluster: EksCluster) -> Eks:
        """Return the service with one cluster replaced."""
        return replace(self, clusters={**self.clusters, name: cluster})

    def with_fates(self, cluster: str, addon: str, fates: Iterable[Fate]) -> Eks:
        """Return the service in which these are the fates of the add-on's next changes."""
        here = self.of(cluster)
        return self.with_cluster(cluster, replace(here, fates={**here.fates, addon: tuple(fates)}))

    def default_version(self, kubernetes: str) -> str:
        """Return the add-on version that is installed when none is named; empty where none is offered."""
        offered = self.offered.get(kubernetes, ())
        second = offered[min(1, len(offered) - 1)] if offered else ""
        return self.defaults.get(kubernetes, second)


def addon_versions(eks: Eks, kubernetes: str | None, addon: str | None) -> list[Json]:
    """Return DescribeAddonVersions' ``addons``; only ``vpc-cni`` is offered here."""
    if addon not in {None, "vpc-cni"}:
        return []
    by_version: dict[str, list[Json]] = {}
    for cluster_version, versions in eks.offered.items():
        if kubernetes in {None, cluster_version}:
            default = eks.default_version(cluster_version)
            for version in versions:
                suits = {"clusterVersion": cluster_version, "platformVersions": ["*"], "defaultVersion": version == default}
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
    return {"addonName": addon, "addonVersion": version, "configurationSchema": _schema_text(eks, version)}


def validate_values(eks: Eks, text: str, version: str) -> None:
    """Raise ``InvalidParameterException`` when configuration values are no JSON or YAML or do not fit the schema."""
    try:
        values = yaml.safe_load(text)
        jsonschema.validate({} if values is None else values, json.loads(_schema_text(eks, version)))
    except yaml.YAMLError as error:
        raise EksError("InvalidParameterException", "ConfigurationValue is not in valid JSON or YAML format") from error
    except jsonschema.ValidationError as error:
        where = "/".join(str(p) for p in error.absolute_path) or "the document"
        message = f"ConfigurationValue provided in request is not supported: {where}: {error.message}"
        raise EksError("InvalidParameterException", message) from error


def _schema_text(eks: Eks, version: str) -> str:
    return eks.schemas.get(version) or json.dumps(configuration_schema(Release.parse(version)))
