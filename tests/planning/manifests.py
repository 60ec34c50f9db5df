"""A cluster whose VPC CNI is one of upstream's manifests: what a look at it sees, and what steps of a plan do to it.

Acting here is server-side apply on plain objects, done only where the plan says so: every conflict that is not in `Apply.takes`
is an error, as it is on a real cluster.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import yaml

from eksnetpol.facts.declare import Lookup, catalog
from eksnetpol.fields.apply import FieldConflict, applied, written
from eksnetpol.fields.holds import ABSENT, differences, value_at
from eksnetpol.fields.keeping import kept
from eksnetpol.fields.owners import MANAGER
from eksnetpol.gateways import sanitize
from eksnetpol.model import eks
from eksnetpol.model import kubernetes as k8s
from eksnetpol.model.actions import Apply, Create, Look
from eksnetpol.model.conditions import All, Condition, Established, Holds, RolledOut
from eksnetpol.model.digests import schema_digest
from eksnetpol.model.kinds import Json, ObjectRef
from eksnetpol.model.plan import Step
from eksnetpol.model.snapshot import ClusterSnapshot, Seen, Target

DATA = Path(__file__).parents[1] / "data"
NOW = datetime(2026, 11, 1, tzinfo=UTC)
VERSIONS = tuple(
    sorted((p.name for p in (DATA / "vpc-cni").iterdir()), key=lambda v: [int(part) for part in v.removeprefix("v").split(".")])
)
"""The releases whose manifest is here, oldest first."""

Objects = dict[str, Json]


def manifest(version: str) -> Objects:
    """Return upstream's objects of a release, by what they are called."""
    file = next((DATA / "vpc-cni" / version).glob("*.yaml"))
    found = [o for o in yaml.load_all(file.read_text(encoding="utf-8"), yaml.CSafeLoader) if o]
    return {str(ObjectRef.of(o)): o for o in found}


def installed(objects: Iterable[Json], manager: str = "kubectl-client-side-apply") -> Objects:
    """Return *objects* as they are after somebody wrote them."""
    return {str(ObjectRef.of(o)): written(None, copy.deepcopy(o), manager=manager, now=NOW) for o in objects}


def changed(objects: Objects, ref: str, change: Any, manager: str = "kubectl-edit") -> None:
    """Let *change* edit one object, as somebody else."""
    edited = copy.deepcopy(objects[ref])
    change(edited)
    objects[ref] = written(objects[ref], edited, manager=manager, now=NOW)


def look(objects: Objects, **more: Any) -> ClusterSnapshot:
    """Return what a look at a cluster with *objects* sees; *more* are further sections."""
    sections: dict[str, list[Any]] = {"daemonsets": [], "configmaps": [], "cluster_roles": [], "crds": []}
    for obj in objects.values():
        match obj["kind"]:
            case "DaemonSet":
                status = {"desiredNumberScheduled": 3, "updatedNumberScheduled": 3, "numberReady": 3, "numberAvailable": 3}
                seen = _read({**obj, "status": status}, k8s.Workload)
                sections["daemonsets"].append(sanitize.workload("DaemonSet")(seen))
            case "ConfigMap":
                sections["configmaps"].append(sanitize.config_map(_read(obj, k8s.ConfigMap)))
            case "ClusterRole":
                sections["cluster_roles"].append(sanitize.managed(_read(obj, k8s.ClusterRole)))
            case "CustomResourceDefinition":
                sections["crds"].append(sanitize.managed(_crd(obj)))
    cluster = eks.Cluster(name="shop", version="1.31", status="ACTIVE")
    seen_sections: dict[str, Any] = {
        "cluster": cluster, "addon": None, "policy_endpoints": (), "cluster_policy_endpoints": (), "nodes": (), "pods": (),
        **{name: tuple(found) for name, found in sections.items()}, **more,
    }  # fmt: skip
    read: dict[str, Any] = {name: Seen(value) for name, value in seen_sections.items()}
    return ClusterSnapshot(taken_at=NOW, target=Target(cluster="shop", region="eu-west-1"), **read)


def facts_of(objects: Objects, **more: Any) -> Lookup:
    """Return the facts of a look."""
    catalog()
    return Lookup(look(objects, **more))


def _read(obj: Json, kind: Any) -> Any:
    return msgspec.convert(copy.deepcopy(obj), kind)


def _crd(obj: Json) -> k8s.CustomResourceDefinition:
    found = copy.deepcopy(obj)
    found["spec"]["schemaDigest"] = schema_digest({v["name"]: v.get("schema") or {} for v in found["spec"]["versions"]})
    found["status"] = {"conditions": [{"type": "Established", "status": "True"}]}
    return msgspec.convert(found, k8s.CustomResourceDefinition)


# --- carrying out -------------------------------------------------------------------------------------------------------


def carry_out(objects: Objects, steps: Iterable[Step]) -> Objects:
    """Return *objects* after *steps*, each of which has become true."""
    for step in steps:
        objects = _act(objects, step.action)
        assert holds(objects, step.until), f"{step.id}: {step.until}"
    return objects


def undo(objects: Objects, steps: Iterable[Step]) -> Objects:
    """Return *objects* after going back on *steps*."""
    for step in reversed(tuple(steps)):
        if step.undo is not None:
            objects = _act(objects, step.undo.action)
            assert holds(objects, step.undo.until), f"undoing {step.id}: {step.undo.until}"
    return objects


def _act(objects: Objects, action: Any) -> Objects:
    match action:
        case Apply():
            ref = str(action.ref)
            live = objects.get(ref)
            sent = kept(live, action.object, drops=action.drops) if action.keeps else action.object
            taken = {(t.path, t.manager) for t in action.takes}
            try:
                after = applied(live, sent, manager=MANAGER, force=False, now=NOW)
            except FieldConflict as conflict:
                met = {(c.path, m) for c in conflict.fields for m in c.managers}
                assert met <= taken, f"{ref}: not named in the plan: {sorted(met - taken)}"
                after = applied(live, sent, manager=MANAGER, force=True, now=NOW)
            return {**objects, ref: after}
        case Create():
            return {str(action.ref): applied(None, action.object, manager=MANAGER, force=False, now=NOW), **objects}
        case Look():
            return objects
        case _:
            message = f"no manifest knows {action}"
            raise AssertionError(message)


def holds(objects: Objects, condition: Condition) -> bool:
    """Say whether a condition holds for plain objects; nothing is served or rolls here, so that is taken to be well."""
    match condition:
        case Holds():
            live = objects.get(str(condition.ref))
            return not differences(live, condition.object) and all(value_at(live, p) is ABSENT for p in condition.without)
        case Established():
            return f"customresourcedefinition/{condition.name}" in objects
        case RolledOut():
            return True
        case All():
            return all(holds(objects, one) for one in condition.conditions)
        case _:
            message = f"no manifest knows {condition}"
            raise AssertionError(message)


# --- in effect ----------------------------------------------------------------------------------------------------------


def in_effect(objects: Objects) -> Json:
    """Return what the objects that decide something say, in a form in which order and what changes nothing do not count."""
    spec = objects["daemonset/kube-system/aws-node"]["spec"]["template"]["spec"]
    pods = {
        "containers": {c["name"]: _container(c) for c in spec["containers"]},
        "init": {c["name"]: _container(c) for c in spec["initContainers"]},
        "volumes": {v["name"]: _without_default(v) for v in spec["volumes"]},
        **{k: v for k, v in spec.items() if k not in {"containers", "initContainers", "volumes"}},
    }
    rules = objects["clusterrole/aws-node"]["rules"]
    grants = sorted(
        {
            (group, resource, url, verb)
            for rule in rules
            for verb in rule["verbs"]
            for url in rule.get("nonResourceURLs", [""])
            for group in rule.get("apiGroups", [""])
            for resource in rule.get("resources", [""])
        }
    )
    return {
        "pods": pods,
        "labels": objects["daemonset/kube-system/aws-node"]["metadata"].get("labels"),
        "settings": objects["configmap/kube-system/amazon-vpc-cni"].get("data"),
        "grants": grants,
    }


def _without_default(volume: Json) -> Json:
    return {**volume, "hostPath": {k: v for k, v in volume["hostPath"].items() if (k, v) != ("type", "")}}


def _container(container: Json) -> Json:
    # Pull policies are left alone. ANNOTATE_POD_IP=false, which v1.18.4 to v1.18.6 said, is what no variable says.
    env = {e["name"]: e for e in container.get("env", ()) if e != {"name": "ANNOTATE_POD_IP", "value": "false"}}
    return {
        **{k: v for k, v in container.items() if k != "imagePullPolicy"},
        "env": env,
        "args": sorted(container.get("args", ())),
        "ports": sorted((p["containerPort"], p.get("protocol", "TCP")) for p in container.get("ports", ())),
        "volumeMounts": {m["mountPath"]: m for m in container.get("volumeMounts", ())},
    }
