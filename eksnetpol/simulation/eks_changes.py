"""The verbs of EKS that change an add-on: what they refuse, and what they begin.

A verb only begins a change. `eks_settling.py` says what becomes of it. One change per add-on at a time; the stored configuration
is replaced, never merged (botocore's ``eks`` model; docs.aws.amazon.com/eks, "Update an Amazon EKS add-on").

``[?]`` marks what AWS documents nothing about: an omitted ``configurationValues`` keeps what is stored; a ``clientRequestToken``
that comes again with another request is refused; a cluster that is not ACTIVE answers ``ResourceInUseException``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Literal

from eksnetpol.simulation.eks import Effect, Eks, EksCluster, EksError, Fate, Json, Pending, validate_values

_SERVICE_ACCOUNTS: Mapping[str, tuple[str, str]] = {"vpc-cni": ("kube-system", "aws-node")}
"""Namespace and name of the service account an add-on's pods run as."""


def create_addon(eks: Eks, cluster: str, wanted: Json, now: datetime) -> tuple[Eks, Json]:
    """Start creating an add-on; return the new state and CreateAddon's ``addon``.

    *wanted* are the request's members. ``PRESERVE`` behaves as ``NONE`` here, as the API says; so does leaving the mode out.
    """
    here = eks.of(cluster)
    name = wanted["addonName"]
    told = _told(here, f"create {name}", wanted)
    if told is not None:
        return eks, eks.addon(cluster, name)
    if name in here.addons:
        raise EksError("ResourceInUseException", f"Addon already exists: {name}")
    _refuse_busy_cluster(here)
    version = wanted.get("addonVersion") or eks.default_version(here.cluster["version"])
    _refuse_unknown(eks, here, version)
    values = wanted.get("configurationValues", "")
    if values:
        validate_values(eks, values, version)
    arn = here.cluster["arn"].replace(":cluster/", ":addon/") + f"/{name}/{digest(cluster, name)}"
    addon: Json = {
        "addonName": name,
        "clusterName": cluster,
        "status": "CREATING",
        "addonVersion": version,
        "health": {"issues": []},
        "addonArn": arn,
        "createdAt": now,
        "modifiedAt": now,
        "tags": dict(wanted.get("tags", {})),
        **({"configurationValues": values} if values else {}),
        **_role(wanted),
    }
    here, addon = _associated(here, addon, wanted.get("podIdentityAssociations"), now)
    resolve = "OVERWRITE" if wanted.get("resolveConflicts") == "OVERWRITE" else "NONE"
    effect = _effect(here, addon, "create", resolve=resolve)
    here = replace(here, addons={**here.addons, name: addon}, ailing=_without(here.ailing, name))
    here = _begun(here, name, Pending(now, effect, None, {**addon, "status": "ACTIVE"}))
    here = _remembered(here, f"create {name}", wanted, "")
    return eks.with_cluster(cluster, here), addon


def update_addon(eks: Eks, cluster: str, name: str, wanted: Json, now: datetime) -> tuple[Eks, Json]:
    """Start updating an add-on; return the new state and UpdateAddon's ``update``.

    The same ``clientRequestToken`` again starts nothing: it is answered with the update it started. A ``serviceAccountRoleArn``
    that is left out means the node's role, as the API says. Without a mode, ``NONE`` is taken ``[?]``.
    """
    addon = eks.addon(cluster, name)
    here = eks.of(cluster)
    told = _told(here, f"update {name}", wanted)
    if told is not None:
        return eks, here.updates[name][told]
    if name in here.pending:
        message = f"Addon {name} cannot be updated: an update is in progress (status {addon['status']})"
        raise EksError("ResourceInUseException", message)
    _refuse_busy_cluster(here)
    version: str = wanted.get("addonVersion") or addon["addonVersion"]
    _refuse_unknown(eks, here, version)
    values = wanted.get("configurationValues")
    if values:
        validate_values(eks, values, version)
    after: Json = {k: v for k, v in addon.items() if k != "serviceAccountRoleArn"}
    after |= {"status": "ACTIVE", "health": {"issues": []}, "addonVersion": version, "modifiedAt": now, **_role(wanted)}
    if values is not None:
        after["configurationValues"] = values
    here, after = _associated(here, after, wanted.get("podIdentityAssociations"), now)
    seed = wanted.get("clientRequestToken") or f"{now} {len(here.updates.get(name, {}))}"
    number = digest(cluster, name, seed)
    update = {"id": number, "status": "InProgress", "type": "AddonUpdate", "params": _params(wanted), "createdAt": now}
    update["errors"] = []
    here = replace(here, updates={**here.updates, name: {**here.updates.get(name, {}), number: update}})
    resolve = wanted.get("resolveConflicts", "NONE")
    effect = replace(_effect(here, after, "update", resolve=resolve), formerly=addon["addonVersion"])
    here = _begun(here, name, Pending(now, effect, addon, after, update=number))
    here = _remembered(here, f"update {name}", wanted, number)
    return eks.with_cluster(cluster, here), update


def delete_addon(eks: Eks, cluster: str, name: str, now: datetime, *, preserve: bool = False) -> tuple[Eks, Json]:
    """Start deleting an add-on; return the new state and DeleteAddon's ``addon``. With *preserve* its objects stay."""
    addon = eks.addon(cluster, name)
    here = eks.of(cluster)
    if name in here.pending and addon["status"] != "DELETING":
        raise EksError("InvalidRequestException", f"Addon {name} cannot be deleted while it is in status {addon['status']}")
    if addon["status"] == "DELETING":
        return eks, addon
    deleting = {**addon, "status": "DELETING", "modifiedAt": now}
    here = replace(here, addons={**here.addons, name: deleting}, ailing=_without(here.ailing, name))
    effect = replace(_effect(here, addon, "delete"), preserve=preserve)
    here = _begun(here, name, Pending(now, effect, addon, None))
    return eks.with_cluster(cluster, here), deleting


def digest(*parts: str) -> str:
    """Return an id, in the form the API gives its own, that is always the same for *parts*."""
    text = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:32]}"


def _effect(here: EksCluster, addon: Json, verb: Literal["create", "update", "delete"], *, resolve: str = "NONE") -> Effect:
    return Effect(
        cluster=here.cluster["name"],
        addon=addon["addonName"],
        verb=verb,
        version=addon["addonVersion"],
        values=addon.get("configurationValues", ""),
        role=addon.get("serviceAccountRoleArn", ""),
        resolve=resolve,
        family=here.cluster.get("kubernetesNetworkConfig", {}).get("ipFamily", "ipv4"),
    )


def _begun(here: EksCluster, name: str, change: Pending) -> EksCluster:
    """Return the cluster with a change under way, which takes the first of the fates that are set for the add-on."""
    fates = here.fates.get(name, ())
    change = replace(change, fate=fates[0] if fates else Fate())
    left = {**here.fates, name: fates[1:]}
    return replace(here, pending={**here.pending, name: change}, fates={k: v for k, v in left.items() if v})


def _params(wanted: Json) -> list[Json]:
    associations = wanted.get("podIdentityAssociations")
    changes = {
        "AddonVersion": wanted.get("addonVersion"),
        "ResolveConflicts": wanted.get("resolveConflicts"),
        "ConfigurationValues": wanted.get("configurationValues"),
        "ServiceAccountRoleArn": wanted.get("serviceAccountRoleArn"),
        "PodIdentityAssociations": None if associations is None else json.dumps(associations),
    }
    return [{"type": kind, "value": value} for kind, value in changes.items() if value]


# --- idempotency ------------------------------------------------------------------------------------------------------


def _told(here: EksCluster, verb: str, wanted: Json) -> str | None:
    """Return the update that a former request with the same token started, empty for none; None where it is a new one."""
    token = wanted.get("clientRequestToken")
    if not token or token not in here.tokens:
        return None
    said, update = here.tokens[token]
    if said != _said(verb, wanted):
        raise EksError("InvalidParameterException", "clientRequestToken was used before, for a request with other parameters")
    return update


def _remembered(here: EksCluster, verb: str, wanted: Json, update: str) -> EksCluster:
    token = wanted.get("clientRequestToken")
    if not token:
        return here
    return replace(here, tokens={**here.tokens, token: (_said(verb, wanted), update)})


def _said(verb: str, wanted: Json) -> str:
    return digest(verb, json.dumps(wanted, sort_keys=True, default=str))


# --- roles ------------------------------------------------------------------------------------------------------------


def _role(wanted: Json) -> Json:
    role = wanted.get("serviceAccountRoleArn")
    return {"serviceAccountRoleArn": role} if role else {}


def _associated(here: EksCluster, addon: Json, wanted: list[Json] | None, now: datetime) -> tuple[EksCluster, Json]:
    """Return the cluster and the add-on with the pod identity associations *wanted*.

    None leaves those there are, an empty list deletes those the add-on owns.
    """
    if wanted is None:
        return here, addon
    owner = addon["addonArn"]
    others = tuple(a for a in here.pod_identities if a.get("ownerArn") != owner)
    made = tuple(_association(here, addon, one, now) for one in wanted)
    arns = [a["associationArn"] for a in made]
    bare = {k: v for k, v in addon.items() if k != "podIdentityAssociations"}
    return replace(here, pod_identities=(*others, *made)), {**bare, **({"podIdentityAssociations": arns} if arns else {})}


def _association(here: EksCluster, addon: Json, wanted: Json, now: datetime) -> Json:
    cluster, account = here.cluster["name"], wanted["serviceAccount"]
    namespace, _ = _SERVICE_ACCOUNTS.get(addon["addonName"], ("kube-system", ""))
    number = f"a-{digest(cluster, account, wanted['roleArn']).replace('-', '')[:17]}"
    arn = here.cluster["arn"].replace(":cluster/", ":podidentityassociation/") + f"/{number}"
    return {
        "clusterName": cluster,
        "namespace": namespace,
        "serviceAccount": account,
        "roleArn": wanted["roleArn"],
        "associationArn": arn,
        "associationId": number,
        "ownerArn": addon["addonArn"],
        "createdAt": now,
        "modifiedAt": now,
        "tags": {},
    }


# --- refusals ---------------------------------------------------------------------------------------------------------


def _refuse_unknown(eks: Eks, here: EksCluster, version: str) -> None:
    if version not in eks.offered.get(here.cluster["version"], ()):
        message = f"Addon version specified is not supported: {version or 'none is offered'}"
        raise EksError("InvalidParameterException", message)


def _refuse_busy_cluster(here: EksCluster) -> None:
    status = here.cluster.get("status", "ACTIVE") or "ACTIVE"
    if status != "ACTIVE":
        message = f"Cluster {here.cluster['name']} is in status {status}; try again when it is ACTIVE"
        raise EksError("ResourceInUseException", message)


def _without(found: Mapping[str, datetime], name: str) -> Mapping[str, datetime]:
    return {k: v for k, v in found.items() if k != name}
