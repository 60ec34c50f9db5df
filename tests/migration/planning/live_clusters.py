"""Clusters to lead off another engine on the test-bed: projects' own manifests and definitions, and those who act for engines.

What the Tigera operator makes of its objects, and what Cilium's chart makes, is put there as they would: its names, labels and
owners are those of engines.md 1.1 and 2.1. Data: ``tests/data/engines``.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import replace as with_changes
from pathlib import Path
from typing import Any

import yaml

from eksnetpol.gateways.permit_documents import MIGRATOR
from eksnetpol.gateways.run_folder import RunFolder
from eksnetpol.interfaces.acting import Entry
from eksnetpol.model.actions import Look
from eksnetpol.model.conditions import Ready
from eksnetpol.model.engine_kinds import CALICO_STORED, CILIUM_POLICIES
from eksnetpol.model.kinds import JOB, NETWORK_POLICY, POLICY_ENDPOINT
from eksnetpol.model.plan import Plan
from tests.migration.planning.carrying import BY_PEOPLE, ChartOwner
from tests.migration.planning.test_live import app, resolving
from tests.testbed.actors.stage import Stage, acting, new_nodes, operating
from tests.testbed.aws import Aws
from tests.testbed.cluster import ControlPlane, User
from tests.testbed.scenario import Scenario, await_pods, documents, scenario
from tests.testbed.world import World, running

Json = dict[str, Any]
ROOT = Path(__file__).parents[3]
ENGINES = ROOT / "tests" / "data" / "engines"
NODES = 3
CALICO_FINALIZERS = [
    "operator.tigera.io/whisker-controller",
    "operator.tigera.io/goldmane-controller",
    "operator.tigera.io/installation-controller",
    "tigera.io/operator-cleanup",
]
CALICO_POLICIES = """
apiVersion: crd.projectcalico.org/v1
kind: Tier
metadata: {name: default, finalizers: [projectcalico.org/tier-controller]}
spec: {order: 1000000}
---
apiVersion: crd.projectcalico.org/v1
kind: NetworkPolicy
metadata: {name: default.ui-from-orders, namespace: ui}
spec:
  tier: default
  selector: app.kubernetes.io/name == 'ui'
  types: [Ingress]
  ingress:
    - {action: Allow, protocol: TCP, source: {selector: "app.kubernetes.io/name == 'orders'"}, destination: {ports: [8080]}}
"""
CILIUM_POLICY = """
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: ui-from-orders, namespace: ui}
spec:
  endpointSelector: {matchLabels: {app.kubernetes.io/name: ui}}
  ingress:
    - fromEndpoints: [{matchLabels: {app.kubernetes.io/name: orders}}]
      toPorts: [{ports: [{port: "8080", protocol: TCP}]}]
"""
STANDARD_POLICY = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: ui-from-orders, namespace: ui}
spec:
  podSelector: {matchLabels: {app.kubernetes.io/name: ui}}
  policyTypes: [Ingress]
  ingress:
    - from: [{podSelector: {matchLabels: {app.kubernetes.io/name: orders}}}]
      ports: [{port: 8080, protocol: TCP}]
"""
WATCHED = (JOB, NETWORK_POLICY, POLICY_ENDPOINT, *CALICO_STORED, *CILIUM_POLICIES)


@dataclass(frozen=True)
class Engine:
    """How one comes to a cluster. ``managed``: beside a managed add-on. ``agent`` is its pods' label, ``space`` where they are.

    ``dies_at``: words of the step at which the first process is killed. ``comes_back``: in the end it is.
    ``goes_too`` are the classes of left-overs that go with it.
    """

    name: str
    install: Callable[[ControlPlane], None]
    space: str
    agent: str
    managed: bool
    dies_at: str
    comes_back: bool = False
    goes_too: tuple[str, ...] = ()


def _calico(plane: ControlPlane) -> None:
    manifest = documents((ENGINES / "calico" / "calico-policy-only.yaml").read_text())
    definitions = [one for one in manifest if one["kind"] == "CustomResourceDefinition"]
    plane.apply(*definitions, gzip.decompress((ENGINES / "calico" / "operator-crds.yaml.gz").read_bytes()).decode())
    plane.apply(ENGINES / "calico" / "tigera-operator.yaml")
    asked = documents((ENGINES / "calico" / "custom-resources.yaml").read_text())
    # No process is behind pods here, so nothing would answer for an API that is served by some.
    objects = [one for one in asked if one["kind"] != "APIServer"]
    for one in objects:
        if one["kind"] == "Installation":
            one["metadata"]["finalizers"] = CALICO_FINALIZERS
            one["spec"] = {"kubernetesProvider": "EKS", "cni": {"type": "AmazonVPC"}}
    plane.apply(*objects, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "calico-system"}})
    kept = [one for one in manifest if one["kind"] in {"DaemonSet", "Deployment", "ServiceAccount"}]
    made = [_by_operator(one) for one in kept]
    made += [_by_operator(_workload("Deployment", name, "calico-system")) for name in ("whisker", "goldmane")]
    made.append(_by_operator(_workload("DaemonSet", "csi-node-driver", "calico-system")))
    plane.apply(*sorted(made, key=lambda one: one["kind"] != "ServiceAccount"), manager="operator")
    plane.apply(CALICO_POLICIES)


def _by_operator(one: Json) -> Json:
    meta = {"name": one["metadata"]["name"], "namespace": "calico-system"}
    return {**one, "metadata": {**meta, "labels": {"app.kubernetes.io/managed-by": "tigera-operator"}}}


def _kube_router(plane: ControlPlane) -> None:
    plane.apply(ENGINES / "kube-router" / "kube-router-firewall-daemonset.yaml")
    plane.apply(STANDARD_POLICY)


def _cilium(plane: ControlPlane) -> None:
    plane.apply(*sorted((ENGINES / "cilium" / "crds").glob("*.yaml")))
    config = {"cni-chaining-mode": "aws-cni", "cni-exclusive": "false", "enable-policy": "default", "routing-mode": "native"}
    head = {"name": "cilium-config", "namespace": "kube-system"}
    parts = [_workload("DaemonSet", "cilium", "kube-system"), _workload("Deployment", "cilium-operator", "kube-system")]
    chart = [*parts, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": head, "data": config}]
    # Helm creates and patches, it does not apply: what it writes of an object later takes nothing of it away.
    plane.did("create", "--field-manager=helm", "-f", "-", stdin=yaml.safe_dump_all(chart))
    plane.apply(CILIUM_POLICY)


def _workload(kind: str, name: str, namespace: str) -> Json:
    labels = {"k8s-app": name}
    containers = [{"name": name, "image": f"example.org/{name}:1"}]
    spec: Json = {"containers": containers, "hostNetwork": True, "tolerations": [{"operator": "Exists"}]}
    if kind == "DaemonSet":
        spec["nodeSelector"] = {"kubernetes.io/os": "linux"}
    template = {"metadata": {"labels": labels}, "spec": spec}
    more = {"replicas": 1} if kind == "Deployment" else {}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace, "labels": {"app.kubernetes.io/managed-by": "Helm"}},
        "spec": {"selector": {"matchLabels": labels}, "template": template, **more},
    }


ENGINES_LIVE = (
    Engine(
        "calico-operator",
        _calico,
        "calico-system",
        "k8s-app=calico-node",
        managed=True,
        dies_at="Label ",
        goes_too=("policies", "definitions", "namespaces"),
    ),
    Engine(
        "kube-router",
        _kube_router,
        "kube-system",
        "k8s-app=kube-router",
        managed=False,
        dies_at="Take the rules",
        comes_back=True,
    ),
    Engine("cilium", _cilium, "kube-system", "k8s-app=cilium", managed=False, dies_at="Drain "),
)


def _described(engine: Engine) -> Scenario:
    found = scenario("dormant")
    parts = found.data
    apply = [step for step in parts["apply"] if step["file"].startswith("vpc-cni/")]
    apps = "apiVersion: v1\nkind: Namespace\nmetadata: {name: ui}\n" + app("ui") + app("orders")
    eks = parts["eks"] if engine.managed else {**parts["eks"], "addon": None}
    nodes = [{**parts["nodes"][0], "count": NODES}]
    return with_changes(found, data={**parts, "apply": apply, "objects": apps, "eks": eks, "nodes": nodes})


@contextmanager
def leaving(engine: Engine, folder: Path, aws: Aws) -> Iterator[tuple[World, Stage]]:
    """Yield a cluster with *engine* in it, and the stage on which its operators, the policy controller and people act.

    Somebody with the rights of ``templates/rbac/clusterrole-migrate.yaml`` and no others runs the tool.
    """
    aws.reset()
    with running(_described(engine), folder / "cluster", aws) as world:
        plane = world.plane
        plane.apply(ROOT / "templates" / "rbac" / "clusterrole-migrate.yaml")
        users = world.authenticator.users
        users.update(dict.fromkeys(users, User("migrator", (MIGRATOR,))))
        engine.install(plane)
        await_pods(plane)
        with resolving(plane), acting(plane, *WATCHED) as stage:
            stage.made(lambda: operating(stage))
            yield world, stage


class Readers:
    """People who follow the journals under *folder*, and do what a step waits for: change Helm's values, bring nodes."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        self._stage, self._folder = stage, folder
        self._read: dict[Path, int] = {}
        self._charts = ChartOwner(stage.ground, late=0.5)  # type: ignore[arg-type]
        self._supplied = False
        stage.add(self._charts)

    def turn(self, now: float) -> None:
        """Read on."""
        for journal in self._folder.glob("eksnetpol/runs/*/journal.jsonl"):
            folder = RunFolder(journal.parent)
            entries, known = folder.entries(), self._read.get(journal, 0)
            if len(entries) > known:
                self._read[journal] = len(entries)
                # What is waited for is the last line; lines before it are over.
                self._hear(folder.plan(), entries[-1], now)

    def _hear(self, plan: Plan, entry: Entry, now: float) -> None:
        step = next((one for one in plan.steps if one.id == entry.step), None)
        if step is None:
            return
        if step.id in BY_PEOPLE and isinstance(step.action, Look):
            self._charts.asked(step.until, now)
        waits = getattr(step.until, "conditions", (step.until,))
        if not self._supplied and any(isinstance(one, Ready) and one.label for one in waits):
            self._supplied = True
            # Not at once: the stage is turning.
            self._stage.coming.append(lambda: new_nodes(self._stage))
