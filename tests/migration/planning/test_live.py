"""A migration of a real cluster, from a look to the end: real API server, real controllers, Calico's manifest, the shipped role.

What has no container runtime here is played: kwok runs pods, an actor resolves policies as the policy controller does.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace as with_changes
from pathlib import Path
from typing import Any

import pytest
import yaml

from eksnetpol.execution.executor import carry_out
from eksnetpol.execution.progress import past_of
from eksnetpol.facts.declare import Lookup, catalog
from eksnetpol.gateways.clock import SystemClock
from eksnetpol.gateways.collect import collect
from eksnetpol.gateways.hands import RealHands, hands_of
from eksnetpol.gateways.permit_documents import MIGRATOR
from eksnetpol.gateways.session import TargetOptions, connect
from eksnetpol.interfaces import SilentObserver
from eksnetpol.migration.planning.leaving import LABEL
from eksnetpol.migration.planning.migrate import plan_migration
from eksnetpol.migration.planning.options import LeftOver
from eksnetpol.model.actions import Look
from eksnetpol.model.engine_kinds import CALICO_STORED
from eksnetpol.model.kinds import DAEMONSET, DEFINITION, JOB, NETWORK_POLICY, NODE, POD, POLICY_ENDPOINT, Json, ObjectRef
from eksnetpol.model.plan import Plan
from eksnetpol.model.snapshot import ClusterSnapshot
from eksnetpol.planning.rollback import plan_rollback
from tests.execution.ends import events
from tests.execution.trouble import Disk, Heard, Process
from tests.fields.server import Server, place
from tests.lifecycle.actor import FINALIZER, MANAGER, SWITCH, listed
from tests.migration.planning.carrying import Run, doors
from tests.migration.planning.clusters import options, translation_of
from tests.testbed.aws import REGION, Aws
from tests.testbed.build import Components
from tests.testbed.cluster import ControlPlane, User
from tests.testbed.playing import playing
from tests.testbed.scenario import scenario
from tests.testbed.world import World, running

pytestmark = pytest.mark.testbed

ROOT = Path(__file__).parents[3]
CALICO_POLICY = next(kind for kind in CALICO_STORED if kind.name == "NetworkPolicy")
CALICO = ObjectRef.to(DAEMONSET, "calico-node", "kube-system")
POLICY = """
---
apiVersion: crd.projectcalico.org/v1
kind: NetworkPolicy
metadata: {name: default.ui-from-nobody, namespace: ui}
spec:
  tier: default
  selector: app.kubernetes.io/name == 'ui'
  types: [Ingress]
  ingress:
    - {action: Allow, protocol: TCP, source: {selector: "app.kubernetes.io/name == 'orders'"}, destination: {ports: [8080]}}
"""


def resolving(plane: ControlPlane) -> AbstractContextManager[threading.Event]:
    """Play the policy controller: endpoints that name the pods each policy selects, and its finalizer, while its switch is on."""
    return playing(plane, resolve)


def resolve(server: Server) -> None:
    switch = server.get(SWITCH)
    if switch is None or switch.get("data", {}).get("enable-network-policy-controller") != "true":
        return
    endpoints = {(e["metadata"]["namespace"], e["spec"]["policyRef"]["name"]): e for e in listed(server, POLICY_ENDPOINT)}
    pods = [p for p in listed(server, POD) if not p["spec"].get("hostNetwork") and p.get("status", {}).get("podIP")]
    for policy in listed(server, NETWORK_POLICY):
        meta = policy["metadata"]
        key = (meta["namespace"], meta["name"])
        held = FINALIZER in meta.get("finalizers", ())
        if meta.get("deletionTimestamp"):
            if key in endpoints:
                server.delete(ObjectRef.of(endpoints[key]))
            elif held:
                finalizers(server, policy, [f for f in meta["finalizers"] if f != FINALIZER])
            continue
        if not held:
            finalizers(server, policy, [*meta.get("finalizers", ()), FINALIZER])
        wanted = endpoint(policy, pods)
        if endpoints.get(key, {}).get("spec") != wanted["spec"]:
            server.apply(wanted, MANAGER, force=True)


def endpoint(policy: Json, pods: list[Json]) -> Json:
    meta, selector = policy["metadata"], policy["spec"].get("podSelector", {})
    labels = selector.get("matchLabels", {})
    mine = sorted(
        (p for p in pods if p["metadata"]["namespace"] == meta["namespace"]
         and labels.items() <= p["metadata"].get("labels", {}).items()),
        key=lambda p: str(p["metadata"]["name"]),
    )  # fmt: skip
    listed_ = [{"name": p["metadata"]["name"], "namespace": meta["namespace"], "podIP": p["status"]["podIP"],
                "hostIP": p["status"].get("hostIP", "")} for p in mine]  # fmt: skip
    owner = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "name": meta["name"], "uid": meta["uid"]}
    spec = {
        "policyRef": {"name": meta["name"], "namespace": meta["namespace"]},
        "podIsolation": policy["spec"].get("policyTypes", ["Ingress"]),
        **({"podSelectorEndpoints": listed_} if listed_ else {}),
    }
    head = {"name": f"{meta['name']}-a1b2c", "namespace": meta["namespace"], "ownerReferences": [{**owner, "controller": True}]}
    return {"apiVersion": POLICY_ENDPOINT.api_version, "kind": POLICY_ENDPOINT.name, "metadata": head, "spec": spec}


def finalizers(server: Server, policy: Json, wanted: list[str]) -> None:
    ref = ObjectRef.of(policy)
    body = {"metadata": {"resourceVersion": policy["metadata"]["resourceVersion"], "finalizers": wanted}}
    path = place(ref.of_kind, ref.namespace, ref.name)
    server.ask("PATCH", path, body, content="application/merge-patch+json", fieldManager=MANAGER)


@pytest.fixture(scope="module")
def world(full_programs: Components, moto: Aws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    del full_programs
    moto.reset()
    described = scenario("retail-store-calico")
    kept = [step for step in described.data["apply"] if step["file"].startswith(("vpc-cni/", "engines/"))]
    apps = "apiVersion: v1\nkind: Namespace\nmetadata: {name: ui}\n" + app("ui") + app("orders") + POLICY
    described = with_changes(described, data={**described.data, "apply": kept, "objects": apps})
    with running(described, tmp_path_factory.mktemp("migration"), moto) as found:
        found.plane.apply(ROOT / "templates" / "rbac" / "clusterrole-migrate.yaml")
        users = found.authenticator.users
        users.update(dict.fromkeys(users, User("migrator", (MIGRATOR,))))
        with resolving(found.plane):
            yield found


def app(name: str) -> str:
    labels = {"app.kubernetes.io/name": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": name, "image": f"example.org/{name}:1"}]}}
    spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}
    meta = {"name": name, "namespace": "ui"}
    return "---\n" + yaml.safe_dump({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec})


@pytest.fixture
def target(world: World, monkeypatch: pytest.MonkeyPatch) -> TargetOptions:
    for name, text in world.aws.settings(world.endpoint.url, world.reader).items():
        monkeypatch.setenv(name, text)
    return TargetOptions(cluster=world.scenario.cluster, region=REGION)


def look(target: TargetOptions) -> ClusterSnapshot:
    return collect(connect(target), SilentObserver())


def go(plan: Plan, hands: RealHands, disk: Disk, *, run: str = "r1", **how: Any) -> Heard:
    heard = Heard()
    process = Process(hands, disk, run=run)
    carry_out(plan, process.hands, process.journal, SystemClock(), heard, holder="test", confirmed=doors(plan), **how)
    return heard


def agents(hands: RealHands) -> set[str]:
    return {p["spec"]["nodeName"] for p in hands.objects(POD, selector="k8s-app=calico-node")}


def test_a_real_cluster_leaves_calico_for_good_and_comes_back_all_the_same(target: TargetOptions) -> None:
    catalog()
    hands = hands_of(connect(target))
    snapshot = look(target)
    translation = translation_of(snapshot)
    said = options(left_overs=tuple(LeftOver), soak=0.0, settle=1.0, batch="100%", canary=0)
    plan = plan_migration(Lookup(snapshot), translation, said)
    assert plan.refusals == ()
    nodes = {node["metadata"]["name"] for node in hands.objects(NODE)}
    assert agents(hands) == nodes
    policies = {p["metadata"]["name"]: p["spec"] for p in hands.objects(CALICO_POLICY)}

    disk = Disk()
    go(plan, hands, disk)
    assert hands.get(CALICO) is None
    assert hands.objects(JOB, namespace="kube-system") == ()
    assert all(node["metadata"]["labels"][LABEL] == "vpc-cni" for node in hands.objects(NODE))
    groups = {d["spec"]["group"] for d in hands.objects(DEFINITION)}
    assert "crd.projectcalico.org" not in groups
    assert {"networking.k8s.aws", "policy.networking.k8s.io"} <= groups
    assert [p["metadata"]["namespace"] for p in hands.objects(NETWORK_POLICY)] == ["ui"]
    again = plan_migration(Lookup(look(target)), translation, said)
    assert (again.steps, again.refusals) == ((), ())

    # The same plan in memory gives the same journal, but for times, ids, and what was true when it was first looked at.
    rehearsed = Run(snapshot, plan)
    rehearsed.go()
    assert journal(rehearsed.disk, plan) == journal(disk, plan)

    back = plan_rollback(plan, run="r1", touched=past_of(disk.entries).touched)
    assert back.refusals == ()
    second = Disk()
    second.files = disk.files
    go(back, hands, second, run="r2")
    assert agents(hands) == nodes
    assert not any(LABEL in node["metadata"]["labels"] or node["spec"].get("unschedulable") for node in hands.objects(NODE))
    assert hands.objects(POLICY_ENDPOINT) == ()
    assert hands.objects(NETWORK_POLICY) == ()
    assert {p["metadata"]["name"]: p["spec"] for p in hands.objects(CALICO_POLICY)} == policies
    live = hands.get(CALICO)
    assert live is not None
    assert "affinity" not in live["spec"]["template"]["spec"]


def journal(disk: Disk, plan: Plan) -> list[str]:
    """What was done in which order; whether a look, or who waits for a Job that is there, had to wait is a matter of time."""
    waits = {step.id for step in plan.steps if isinstance(step.action, Look) or step.id.endswith("/cleaned")}
    return [line for line in events(disk) if line.partition(" ")[2] not in waits or line.startswith("succeeded")]
