"""A cluster with workloads on its nodes: evictions with budgets, pods that come again elsewhere, Jobs, and a plan for it."""

from __future__ import annotations

from typing import Any

from eksnetpol.errors import Busy
from eksnetpol.model.actions import Apply, BackUp, Create, Evict, Look, ObjectId
from eksnetpol.model.conditions import (
    SOURCES,
    All,
    Answering,
    BackedUp,
    Completed,
    Covered,
    Evicted,
    Holds,
    Ready,
    Runs,
    Soaked,
    Unchanged,
)
from eksnetpol.model.fingerprints import digest_of_objects
from eksnetpol.model.kinds import JOB, NETWORK_POLICY, NODE, POD, POLICY_ENDPOINT, Json, ObjectRef
from eksnetpol.model.plan import Plan, Step, Undo, Verb
from tests.execution.small_world import AWS_NODE, Fate, SmallWorld, configmap, daemonset, policy

LABEL = "eksnetpol.io/engine"
PODS = ("web-1", "web-2", "db-0")


class Town(SmallWorld):
    """Nodes n0, n1 with pods of workloads. ``budgets``: pod -> time from which it may go; ``never``: pods that never end."""

    def __init__(self, fate: Fate | None = None) -> None:
        super().__init__(2, fate)
        self.budgets: dict[str, float] = {}
        self.never: set[str] = set()
        self.job_ends: tuple[str, str] = ("Complete", "")
        self._ending: dict[str, float] = {}
        self._jobs: dict[str, float] = {}
        self._made = 0
        self.asked_to_go: list[str] = []

    def evict(self, ref: ObjectRef, *, uid: str = "") -> None:
        live = self.api.peek(ref)
        self.asked_to_go.append(ref.name)
        if live is None or uid not in {"", live["metadata"]["uid"]}:
            return
        if self.time < self.budgets.get(ref.name, 0.0):
            raise Busy(f"could not create pods/eviction: The disruption budget {ref.name}-budget needs 1 healthy pods and has 1")
        if "deletionTimestamp" not in live["metadata"]:
            self.api.put({**live, "metadata": {**live["metadata"], "deletionTimestamp": "2026-11-27T03:00:00Z"}})
            self._ending[ref.name] = self.time + 2.0
            self.changed.append(f"evicted {ref.name}")

    def place(self, name: str, node: str, *, owner: str = "ReplicaSet", **meta: Any) -> Json:
        """Put a pod on a node."""
        owners = [{"apiVersion": "apps/v1", "kind": owner, "name": name, "uid": f"u-{name}", "controller": True}] if owner else []
        head: Json = {"name": name, "namespace": "shop", "labels": {"app": name}, "ownerReferences": owners, **meta}
        self._made += 1
        status = {"phase": "Running", "podIP": f"10.0.1.{self._made}", "conditions": [{"type": "Ready", "status": "True"}]}
        return self.api.put({"apiVersion": "v1", "kind": "Pod", "metadata": head, "spec": {"nodeName": node}, "status": status})

    def _act(self) -> None:
        super()._act()
        for name, at in tuple(self._ending.items()):
            if self.time >= at and name not in self.never:
                del self._ending[name]
                live = self.api.get(ObjectRef.to(POD, name, "shop"))
                assert live is not None
                self.api.delete(ObjectRef.of(live))
                if live["metadata"].get("ownerReferences"):
                    self.place(f"{name}-again", "n1")
        for job in self.api.objects(JOB):
            name = job["metadata"]["name"]
            kind, said = self.job_ends
            if self.time >= self._jobs.setdefault(name, self.time + 3.0) and "status" not in job:
                conditions = [{"type": kind, "status": "True", "message": said}]
                self.api.write_status(ObjectRef.of(job), {"conditions": conditions}, manager="kube-controller-manager")


def town(**how: Any) -> Town:
    """A cluster whose policies are resolved, at rest."""
    world = Town(**how)
    world.api.apply(daemonset(), manager="kubectl")
    world.api.apply(configmap(), manager="eks")
    for name in PODS:
        world.place(name, "n0")
    world.place("agent", "n0", owner="DaemonSet")
    world.api.create(policy("a"), manager="kubectl")
    world.api.put(endpoint("a", PODS))
    world.settle()
    world.all_rolled()
    return world


def endpoint(name: str, pods: tuple[str, ...]) -> Json:
    """What the controller makes of a policy."""
    listed = [{"name": pod, "namespace": "shop"} for pod in (*pods, "agent", *(f"{pod}-again" for pod in pods))]
    return {
        "apiVersion": POLICY_ENDPOINT.api_version,
        "kind": "PolicyEndpoint",
        "metadata": {"name": f"{name}-x", "namespace": "shop"},
        "spec": {"policyRef": {"name": name, "namespace": "shop"}, "podSelectorEndpoints": listed},
    }


def node(name: str, **spec: Any) -> Json:
    """A node, as far as it is ours."""
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, **({"spec": spec} if spec else {})}


def labelled(name: str) -> Json:
    """A node with our label alone."""
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {LABEL: "vpc-cni"}}}


def job(name: str = "cleaner") -> Json:
    """A Job that is pinned to a node."""
    pod = {"nodeName": "n0", "restartPolicy": "Never", "containers": [{"name": "cleaner", "image": "example.org/cleaner:1"}]}
    meta = {"name": name, "namespace": "kube-system"}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": {"template": {"spec": pod}}}


CLEANER = ObjectRef.to(JOB, "cleaner", "kube-system")
ONE = ObjectRef.to(NODE, "n0")


def cordon() -> Step:
    dropped = ".spec.unschedulable"
    back = Undo("Uncordon it", Apply(node("n0"), keeps=True, drops=(dropped,)), Holds(node("n0"), without=(dropped,)))
    return Step("cordon", "Cordon n0", Apply(node("n0", unschedulable=True), keeps=True), Holds(node("n0", unschedulable=True)),
                undo=back)  # fmt: skip


def uncordon() -> Step:
    dropped = ".spec.unschedulable"
    return Step("uncordon", "Uncordon n0", Apply(node("n0"), keeps=True, drops=(dropped,)), Holds(node("n0"), without=(dropped,)))


def evict(*, bare: tuple[str, ...] = (), patience: float = 300.0) -> Step:
    return Step("evict", "Drain n0", Evict("n0", bare=bare), Evicted("n0"), patience=patience, one_way="pods come back elsewhere")


def clean(*, door: str = "") -> Step:
    return Step("clean", "Clean n0", Create(job()), Completed(CLEANER), door=door)


def sources(world: Town) -> tuple[ObjectId, ...]:
    return tuple(ObjectId(ObjectRef.of(one), one["metadata"]["uid"]) for one in world.api.objects(NETWORK_POLICY))


def keep(world: Town) -> Step:
    return Step("keep", "Keep the policies", BackUp(sources(world), SOURCES), BackedUp(SOURCES, sources(world)))


def gate(world: Town, name: str = "gate") -> Step:
    digest = digest_of_objects(world.api.objects(NETWORK_POLICY))
    return Step(name, "See that nothing has changed", Look(), All((Unchanged((str(NETWORK_POLICY),), digest), Answering())))


def moving(world: Town) -> Plan:
    """Every action and condition that only migrations have, in one plan."""
    label = labelled("n0")
    steps = (
        keep(world),
        gate(world),
        Step("covered", "See that policies are resolved", Look(), Covered()),
        cordon(),
        Step("label", "Label n0", Apply(label, keeps=True), All((Holds(label), Ready(("n0",), f"{LABEL}=vpc-cni", 1)))),
        evict(),
        clean(door="uninstall"),
        Step("agent", "See that the agent runs", Look(), Runs(AWS_NODE, ("n0", "n1"))),
        uncordon(),
        Step("soak", "Let a minute pass", Look(), Soaked(60.0)),
    )
    return Plan(verb=Verb.MIGRATE, title="Move", steps=steps)


__all__ = ["AWS_NODE"]
