"""A cluster and its EKS, small and honest: objects as an API server keeps them, and three actors that need time.

The DaemonSet controller rolls a node at a time, the policy controller lets go of policies that are being deleted, EKS ends an
update after a while and writes the agent's switch. What is to go wrong is set on the world before it does.
"""

# ruff: noqa: D102, ARG002 - the methods are those of `Hands` and `Clock`, as their docstrings tell

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from eksnetpol.errors import Busy, Exists, NotFound
from eksnetpol.model import eks
from eksnetpol.model.actions import CreateAddon, UpdateAddon
from eksnetpol.model.kinds import (
    CONFIGMAP,
    DAEMONSET,
    NETWORK_POLICY,
    NODE,
    POD,
    POLICY_ENDPOINT,
    Json,
    Kind,
    ObjectRef,
)
from eksnetpol.simulation.api_server import ApiObjects, Change

START = datetime(2026, 11, 27, 3, 0, tzinfo=UTC)
AWS_NODE = ObjectRef.to(DAEMONSET, "aws-node", "kube-system")
SWITCH = ObjectRef.to(CONFIGMAP, "amazon-vpc-cni", "kube-system")
FINALIZER = "networking.k8s.aws/resources"
LABELS = {"k8s-app": "aws-node"}


def daemonset(switch: str = "false", image: str = "agent:v1.2.1") -> Json:
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "aws-node", "namespace": "kube-system"},
        "spec": {
            "selector": {"matchLabels": LABELS},
            "template": {
                "metadata": {"labels": LABELS},
                "spec": {
                    "containers": [
                        {"name": "aws-node", "image": "cni:v1.20.0"},
                        {"name": "aws-eks-nodeagent", "image": image, "args": [f"--enable-network-policy={switch}"]},
                    ]
                },
            },
        },
    }


def configmap(**data: str) -> Json:
    meta = {"name": "amazon-vpc-cni", "namespace": "kube-system"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}


def policy(name: str, namespace: str = "shop") -> Json:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace, "finalizers": [FINALIZER]},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
    }


@dataclass
class Fate:
    """What becomes of updates and roll-outs. Seconds are of the world's own time."""

    update: float = 12.0
    ends: str = "Successful"
    errors: tuple[eks.UpdateError, ...] = ()
    status_after: str = "ACTIVE"
    issues: tuple[eks.AddonIssue, ...] = ()
    heals_after: float | None = None
    stale: float = 0.0
    node: float = 2.0
    stuck: dict[str, Json] = field(default_factory=dict)
    """Node -> the status of its new pod, which never gets ready."""
    controller: bool = True


@dataclass
class _Running:
    id: str
    token: str
    wanted: UpdateAddon
    started: float
    ends: float
    ended: bool = False


class SmallWorld:
    """Implements `Hands` and `Clock`."""

    def __init__(self, nodes: int = 3, fate: Fate | None = None) -> None:
        self.time = 0.0
        self.fate = fate or Fate()
        self.api = ApiObjects(self.now, serving=(POLICY_ENDPOINT,))
        self.addon: eks.Addon | None = None
        self.updates: list[_Running] = []
        self.tokens: dict[str, Any] = {}
        self.asked: list[tuple[float, str]] = []
        self.changed: list[str] = []
        self.api.after_change.append(self._noted)
        self._rolled_at = 0.0
        self._rolled: Any = None
        self._goes: dict[ObjectRef, float] = {}
        self._aws_changes: list[str] = []
        for number in range(nodes):
            meta = {"name": f"n{number}"}
            ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-01T00:00:00Z"}
            self.api.put({"apiVersion": "v1", "kind": "Node", "metadata": meta, "status": {"conditions": [ready]}})

    # --- time ---

    def now(self) -> datetime:
        return START + timedelta(seconds=self.time)

    def monotonic(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        end = self.time + seconds
        while self.time < end:
            self.time = min(self.time + 1.0, end)
            self._act()

    def all_rolled(self) -> None:
        """Let the roll-out be one of long ago."""
        self.time = 0.0
        self._rolled_at = -1000.0

    def look_again(self) -> None:
        """Let the DaemonSet's controller count its pods once more."""
        self._rolled = None

    def settle(self) -> None:
        """Let everything come to rest."""
        self.sleep(120.0)

    def copy(self) -> SmallWorld:
        """Return a world that goes its own way from here; it must be at rest."""
        other = SmallWorld(0, replace(self.fate))
        other.time = self.time
        other.api = self.api.copy(other.now)
        other.api.after_change.append(other._noted)
        other.addon = self.addon
        other._rolled_at, other._rolled = self._rolled_at, self._rolled
        return other

    # --- the API server ---

    def get(self, ref: ObjectRef) -> Json | None:
        return self.api.get(ref)

    def objects(self, kind: Kind, *, namespace: str = "", selector: str = "") -> tuple[Json, ...]:
        return self.api.objects(kind, namespace=namespace, selector=selector)

    def create(self, obj: Json, *, dry_run: bool = False) -> Json:
        return self.api.create(obj, dry_run=dry_run)

    def apply(self, obj: Json, *, force: bool = False, dry_run: bool = False) -> Json:
        return self.api.apply(obj, force=force, dry_run=dry_run)

    def patch(self, ref: ObjectRef, operations: list[Json], *, dry_run: bool = False) -> Json:
        return self.api.patch(ref, operations, dry_run=dry_run)

    def replace(self, obj: Json) -> Json:
        return self.api.replace(obj)

    def delete(self, ref: ObjectRef, *, uid: str = "", dry_run: bool = False) -> None:
        self.api.delete(ref, uid=uid, dry_run=dry_run)

    def pods_on(self, node: str) -> tuple[Json, ...]:
        return tuple(pod for pod in self.api.objects(POD) if pod["spec"].get("nodeName") == node)

    def evict(self, ref: ObjectRef, *, uid: str = "") -> None:
        self.api.delete(ref, uid=uid)

    def watch(self, ref: ObjectRef, *, since: str = "", seconds: float = 5.0) -> Iterator[Json | None]:
        end = self.time + seconds
        while True:
            for found in self.api.watch(ref, since=since):
                since = found["metadata"]["resourceVersion"] if found else self.api.version
                yield found
            if self.time >= end:
                return
            self.sleep(1.0)

    # --- EKS ---

    def describe_addon(self, name: str) -> eks.Addon | None:
        self.asked.append((self.time, "describe_addon"))
        running = self._running()
        if self.addon is not None and running is not None and self.time - running.started < self.fate.stale:
            return msgspec.structs.replace(self.addon, status="ACTIVE")
        return self.addon

    def addon_updates(self, name: str) -> tuple[eks.Update, ...]:
        self.asked.append((self.time, "addon_updates"))
        return tuple(self._update(one) for one in reversed(self.updates))

    def describe_update(self, name: str, update: str) -> eks.Update:
        self.asked.append((self.time, "describe_update"))
        return next(self._update(one) for one in self.updates if one.id == update)

    def update_addon(self, wanted: UpdateAddon, *, token: str) -> eks.Update:
        self.asked.append((self.time, "update_addon"))
        if token in self.tokens:
            return self._update(self.tokens[token])
        if self.addon is None:
            raise NotFound(f"eks:UpdateAddon: there is no add-on {wanted.addon}")
        if self._running() is not None or self.addon.status in {"CREATING", "DELETING"}:
            raise Busy("eks:UpdateAddon: the add-on is being changed")
        return self._update(self.begin(wanted, token))

    def begin(self, wanted: UpdateAddon, token: str) -> _Running:
        """Start an update, ours or somebody else's."""
        running = _Running(f"u{len(self.updates)}", token, wanted, self.time, self.time + self.fate.update)
        self.updates.append(running)
        self.tokens[token] = running
        assert self.addon is not None
        self.addon = msgspec.structs.replace(self.addon, status="UPDATING")
        self.changed.append(f"update {wanted.version} {wanted.configuration_values}")
        return running

    def create_addon(self, wanted: CreateAddon, *, token: str) -> eks.Addon:
        self.asked.append((self.time, "create_addon"))
        if token in self.tokens:
            return self.tokens[token]  # type: ignore[no-any-return]
        if self.addon is not None:
            if self.addon.status == "DELETING":
                raise Busy("eks:CreateAddon: the add-on is being deleted")
            raise Exists("eks:CreateAddon: there is an add-on already")
        self.addon = eks.Addon(
            wanted.addon, wanted.version, "CREATING", configuration_values=wanted.configuration_values, created_at=self.now()
        )
        self.tokens[token] = self.addon
        self._goes[ObjectRef("eks", "created", "vpc-cni")] = self.time + self.fate.update
        self.changed.append(f"create {wanted.version}")
        return self.addon

    def delete_addon(self, name: str, *, preserve: bool) -> None:
        self.asked.append((self.time, "delete_addon"))
        if self.addon is None or self.addon.status == "DELETING":
            return
        if self._running() is not None:
            raise Busy("eks:DeleteAddon: the add-on is being changed")
        self.addon = msgspec.structs.replace(self.addon, status="DELETING")
        self._goes[ObjectRef("eks", "deleted", "vpc-cni")] = self.time + 10.0
        self.changed.append(f"delete add-on, preserve {preserve}")

    def _running(self) -> _Running | None:
        return next((one for one in self.updates if not one.ended), None)

    def _update(self, one: _Running) -> eks.Update:
        params = (
            eks.UpdateParam("AddonVersion", one.wanted.version),
            eks.UpdateParam("ConfigurationValues", one.wanted.configuration_values),
        )
        status = self.fate.ends if one.ended else "InProgress"
        errors = self.fate.errors if one.ended else ()
        return eks.Update(one.id, status, "AddonUpdate", params, errors, START + timedelta(seconds=one.started))

    # --- who acts as time goes by ---

    def _noted(self, change: Change) -> None:
        """Remember what was changed in effect, but for the Lease and what controllers write."""
        after, before = change.after, change.before
        if change.ref.kind in {"Lease", "Pod", "ControllerRevision", "Node"}:
            return
        if after is None:
            self.changed.append(f"gone {change.ref}")
        elif before is None:
            self.changed.append(f"new {change.ref}")
        elif "deletionTimestamp" in after["metadata"] and "deletionTimestamp" not in before["metadata"]:
            self.changed.append(f"deleted {change.ref}")
        elif _said(before) != _said(after):
            self.changed.append(f"changed {change.ref}")

    def _act(self) -> None:
        self._let_policies_go()
        self._end_updates()
        self._roll()

    def _let_policies_go(self) -> None:
        if not self.fate.controller:
            return
        for live in self.api.objects(NETWORK_POLICY):
            if "deletionTimestamp" not in live["metadata"]:
                continue
            ref = ObjectRef.of(live)
            if self.time >= self._goes.setdefault(ref, self.time + 3.0):
                kept = [one for one in live["metadata"].get("finalizers", ()) if one != FINALIZER]
                self.api.replace({**live, "metadata": {**live["metadata"], "finalizers": kept}})
                self._goes.pop(ref)

    def _end_updates(self) -> None:
        fate = self.fate
        for key, time in tuple(self._goes.items()):
            if key.api_version == "eks" and self.time >= time:
                self._goes.pop(key)
                ended = key.kind == "deleted"
                assert self.addon is not None
                self.addon = (
                    None
                    if ended
                    else msgspec.structs.replace(self.addon, status=fate.status_after, health=eks.AddonHealth(fate.issues))
                )
        running = self._running()
        if self.addon is None or running is None:
            heal = self.updates[-1].ends + fate.heals_after if self.updates and fate.heals_after is not None else None
            if self.addon is not None and self.addon.status == "DEGRADED" and heal is not None and self.time >= heal:
                self.addon = msgspec.structs.replace(self.addon, status="ACTIVE", health=eks.AddonHealth())
            return
        if self.time >= running.ends:
            running.ended = True
            wanted = running.wanted
            addon = msgspec.structs.replace(self.addon, status=fate.status_after, health=eks.AddonHealth(fate.issues))
            if fate.ends == "Successful" or fate.status_after == "DEGRADED":
                addon = msgspec.structs.replace(
                    addon, addon_version=wanted.version, configuration_values=wanted.configuration_values
                )
                switch = msgspec.json.decode(wanted.configuration_values or "{}").get("enableNetworkPolicy", "false")
                self.api.apply(daemonset(switch, f"agent:{wanted.version}"), force=True, manager="eks")
            self.addon = addon

    def _roll(self) -> None:
        live = self.api.peek(AWS_NODE)
        if live is None:
            return
        generation = live["metadata"]["generation"]
        nodes = [node["metadata"]["name"] for node in self.api.objects(NODE)]
        by_hand = live["spec"].get("updateStrategy", {}).get("type") == "OnDelete"
        done = 0 if by_hand else min(int((self.time - self._rolled_at) / self.fate.node), len(nodes))
        present = (live["metadata"]["uid"], generation, done, "status" in live)
        if present == self._rolled:
            return
        self._rolled = present
        meta: Json = {"name": f"aws-node-{generation}", "namespace": "kube-system", "labels": {**LABELS, _HASH: str(generation)}}
        meta["ownerReferences"] = [
            {"uid": live["metadata"]["uid"], "kind": "DaemonSet", "name": "aws-node", "apiVersion": "apps/v1"}
        ]
        revision = {"apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": meta, "revision": generation}
        if self.api.peek(ObjectRef.of(revision)) is None:
            self.api.put(revision)
            self._rolled_at = self.time
            done = 0
        pods = [self._pod(node, live, generation, is_new=number < done) for number, node in enumerate(nodes)]
        status = {
            "observedGeneration": generation,
            "desiredNumberScheduled": len(nodes),
            "updatedNumberScheduled": sum(pod["metadata"]["labels"][_HASH] == str(generation) for pod in pods),
            "numberReady": sum(map(_is_ready, pods)),
            "numberAvailable": sum(map(_is_ready, pods)),
        }
        if live.get("status") != status:
            self.api.write_status(AWS_NODE, status, manager="kube-controller-manager")

    def _pod(self, node: str, live: Json, generation: int, *, is_new: bool) -> Json:
        ref = ObjectRef.to(POD, f"aws-node-{node}", "kube-system")
        there = self.api.peek(ref)
        if there is not None and (not is_new or there["metadata"]["labels"][_HASH] == str(generation)):
            return there
        status: Json = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
        if node in self.fate.stuck and there is not None:
            status = self.fate.stuck[node]
        owner = {
            "uid": live["metadata"]["uid"], "kind": "DaemonSet", "name": "aws-node", "apiVersion": "apps/v1", "controller": True,
        }  # fmt: skip
        meta: Json = {"name": ref.name, "namespace": "kube-system", "labels": {**LABELS, _HASH: str(generation)}}
        meta["ownerReferences"] = [owner]
        return self.api.put({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"nodeName": node}, "status": status})


_HASH = "controller-revision-hash"


def _said(found: Json) -> Json:
    """What people and we say in an object: no status, no books."""
    meta = {
        key: value for key, value in found["metadata"].items() if key not in {"managedFields", "resourceVersion", "generation"}
    }
    return {**{key: value for key, value in found.items() if key != "status"}, "metadata": meta}


def _is_ready(pod: Json) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", ()))
