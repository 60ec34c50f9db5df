"""The same is done to a real cluster and to a simulation of its snapshot: budgets, evictions, DaemonSets and Jobs end alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from eksnetpol.errors import Busy, Rejected
from eksnetpol.gateways.collect import collect
from eksnetpol.gateways.hands import RealHands, hands_of
from eksnetpol.gateways.session import TargetOptions, connect
from eksnetpol.interfaces import SilentObserver
from eksnetpol.interfaces.acting import Hands
from eksnetpol.model.kinds import DAEMONSET, DISRUPTION_BUDGET, JOB, NODE, POD, Json, ObjectRef
from eksnetpol.model.snapshot import ClusterSnapshot
from eksnetpol.simulation.world import SimulatedCluster
from tests.testbed.build import Components
from tests.testbed.cluster import ControlPlane
from tests.testbed.nodes import node as machine

pytestmark = pytest.mark.testbed

NODES = 4
REPLICAS = 5
WITHIN = 60.0
AGENT = ObjectRef.to(DAEMONSET, "old-agent", "kube-system")
SECTIONS = {
    "nodes", "pods", "namespaces", "daemonsets", "deployments", "statefulsets", "jobs", "services", "disruption_budgets", "crds",
    "webhooks", "api_services", "controller_revisions", "agent_pods", "configmaps",
}  # fmt: skip

CORDONED = {"unschedulable": True}
BUDGETS: dict[str, Json] = {
    "one-away": {"maxUnavailable": 1},
    "a-third-away": {"maxUnavailable": "30%"},
    "none-away": {"maxUnavailable": 0},
    "half-there": {"minAvailable": "50%"},
    "most-there": {"minAvailable": 4},
    "all-there": {"minAvailable": "100%"},
    "more-than-there-are": {"minAvailable": 9},
}


def named(kind: str, api_version: str, name: str, namespace: str, **rest: Any) -> Json:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": namespace}, **rest}


def template(name: str, **spec: Any) -> Json:
    return {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": name, "image": f"example.org/{name}:1"}], **spec},
    }


def workload(name: str) -> Json:
    spec = {"replicas": REPLICAS, "selector": {"matchLabels": {"app": name}}, "template": template(name)}
    return named("Deployment", "apps/v1", name, "default", spec=spec)


def budget(name: str, **spec: Any) -> Json:
    return named("PodDisruptionBudget", "policy/v1", name, "default", spec={**spec, "selector": {"matchLabels": {"app": name}}})


def agent() -> Json:
    pods = template("old-agent", hostNetwork=True, tolerations=[{"operator": "Exists"}])
    return named(
        "DaemonSet",
        "apps/v1",
        "old-agent",
        "kube-system",
        spec={"selector": {"matchLabels": {"app": "old-agent"}}, "template": pods},
    )


@pytest.fixture(scope="module")
def plane(full_programs: Components, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A workload for each budget, and an agent on every node."""
    found = ControlPlane.start(tmp_path_factory.mktemp("life"), programs=full_programs)
    found.start_controllers()
    found.start_scheduler()
    found.start_kwok()
    found.create(machine(number) for number in range(NODES))
    found.apply(
        agent(), *(workload(name) for name in (*BUDGETS, "two")), *(budget(name, **spec) for name, spec in BUDGETS.items())
    )
    found.apply(budget("two", maxUnavailable=1))
    more = budget("two", maxUnavailable=1)
    found.apply({**more, "metadata": {**more["metadata"], "name": "two-more"}})
    yield found
    found.stop()


@pytest.fixture(scope="module")
def worlds(plane: ControlPlane) -> tuple[RealHands, SimulatedCluster, ClusterSnapshot]:
    """The real cluster at rest, and a simulation of what a look at it sees."""
    connection = connect(TargetOptions(kubeconfig=str(plane.kubeconfig())))
    hands = hands_of(connection)
    wanted = REPLICAS * (len(BUDGETS) + 1) + NODES
    await_true(hands, lambda: sum(map(is_ready, hands.objects(POD))) == wanted)
    await_true(hands, lambda: all(counts(hands, name)["currentHealthy"] == REPLICAS for name in BUDGETS))
    snapshot = collect(connection, SilentObserver(), sections=SECTIONS)
    return hands, SimulatedCluster.of(snapshot), snapshot


def is_ready(pod: Json) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod.get("status", {}).get("conditions", ()))


def await_true(hands: Hands, holds: Callable[[], bool]) -> None:
    """Wait in the time of *hands* until something holds."""
    ends = time.monotonic() + WITHIN
    while not holds():
        if isinstance(hands, SimulatedCluster):
            hands.sleep(1)
        else:
            time.sleep(0.2)
        assert time.monotonic() < ends


def of(hands: Hands, name: str) -> list[Json]:
    return list(hands.objects(POD, selector=f"app={name}"))


def counts(hands: Hands, name: str) -> Json:
    live = hands.get(ObjectRef.to(DISRUPTION_BUDGET, name, "default"))
    assert live is not None
    return {key: live["status"].get(key, 0) for key in ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")}


Worlds = tuple[RealHands, SimulatedCluster, ClusterSnapshot]


def test_a_simulation_begins_with_the_pods_and_the_counts_that_are_there(worlds: Worlds) -> None:
    real, simulated, _ = worlds

    def placed(hands: Hands) -> set[tuple[str, str, str]]:
        return {(p["metadata"]["name"], p["spec"]["nodeName"], p["status"]["podIP"]) for p in hands.objects(POD)}

    assert placed(simulated) == placed(real)
    for name in BUDGETS:
        assert counts(simulated, name) == counts(real, name), name
    for node in real.objects(NODE):
        name = node["metadata"]["name"]
        assert {p["metadata"]["uid"] for p in simulated.pods_on(name)} == {p["metadata"]["uid"] for p in real.pods_on(name)}


@pytest.mark.parametrize("name", [*BUDGETS, "two"])
def test_evictions_are_allowed_and_refused_alike(worlds: Worlds, name: str) -> None:
    real, simulated, _ = worlds

    def answers(hands: Hands) -> list[str]:
        # With nowhere to go, what comes again does not get ready between two evictions.
        for node in hands.objects(NODE):
            hands.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": node["metadata"]["name"]}, "spec": CORDONED})
        said = []
        for pod in sorted(of(hands, name), key=lambda one: str(one["metadata"]["name"])):
            try:
                hands.evict(ObjectRef.of(pod), uid=pod["metadata"]["uid"])
            except (Busy, Rejected) as error:
                said.append(type(error).__name__)
            else:
                said.append("evicted")
        for node in hands.objects(NODE):
            hands.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": node["metadata"]["name"]}})
        return said

    assert answers(simulated) == answers(real)
    for hands in (real, simulated):
        await_true(hands, lambda hands=hands: [is_ready(p) for p in of(hands, name)] == [True] * REPLICAS)  # type: ignore[misc]
    if name in BUDGETS:
        await_true(real, lambda: counts(real, name)["currentHealthy"] == REPLICAS)
        assert counts(simulated, name) == counts(real, name)


def test_a_daemonset_follows_labels_and_its_pinned_job_runs_on_a_cordoned_node(worlds: Worlds) -> None:
    real, simulated, _ = worlds
    left, other = sorted(n["metadata"]["name"] for n in real.objects(NODE))[:2]
    seen: list[Any] = []
    for hands in (real, simulated):
        _keep_off(hands)
        await_true(hands, lambda hands=hands: _is_rolled(hands, NODES))  # type: ignore[misc]
        meta = {"name": left, "labels": {"eksnetpol.io/engine": "vpc-cni"}}
        hands.apply({"apiVersion": "v1", "kind": "Node", "metadata": meta, "spec": {"unschedulable": True}})
        await_true(hands, lambda hands=hands: left not in _places(hands) and _is_rolled(hands, NODES - 1))  # type: ignore[misc]
        hands.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": other}, "spec": {"unschedulable": True}})
        pod = next(p for p in of(hands, "old-agent") if p["spec"].get("nodeName") == other)
        hands.evict(ObjectRef.of(pod), uid=pod["metadata"]["uid"])
        await_true(hands, lambda hands=hands, pod=pod: _is_another(hands, other, pod))  # type: ignore[misc]
        job = named(
            "Job", "batch/v1", "cleaner", "default", spec={"template": template("cleaner", nodeName=left, restartPolicy="Never")}
        )
        hands.create(job)
        await_true(hands, lambda hands=hands: _has_completed(hands))  # type: ignore[misc]
        (ran,) = of(hands, "cleaner")
        live = hands.get(AGENT)
        assert live is not None
        told = {key: live["status"].get(key, 0) for key in ("desiredNumberScheduled", "updatedNumberScheduled", "numberReady")}
        seen.append((_places(hands), ran["spec"]["nodeName"], ran["status"]["phase"], told))
    assert seen[1] == seen[0]
    assert seen[0][0] == {n["metadata"]["name"] for n in real.objects(NODE)} - {left}


def _keep_off(hands: Hands) -> None:
    expression = {"key": "eksnetpol.io/engine", "operator": "NotIn", "values": ["vpc-cni"]}
    required = {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    spec = {"template": {"spec": {"affinity": affinity}}}
    hands.apply(named("DaemonSet", "apps/v1", "old-agent", "kube-system", spec=spec))


def _places(hands: Hands) -> set[str]:
    return {p["spec"].get("nodeName") for p in of(hands, "old-agent")}


def _is_rolled(hands: Hands, wanted: int) -> bool:
    live = hands.get(AGENT)
    assert live is not None
    status = live["status"]
    current = status.get("observedGeneration") == live["metadata"]["generation"]
    done = {status.get(key, 0) for key in ("desiredNumberScheduled", "updatedNumberScheduled", "numberAvailable")}
    return current and done == {wanted}


def _is_another(hands: Hands, node: str, former: Json) -> bool:
    found = [p for p in of(hands, "old-agent") if p["spec"].get("nodeName") == node]
    return len(found) == 1 and is_ready(found[0]) and found[0]["metadata"]["uid"] != former["metadata"]["uid"]


def _has_completed(hands: Hands) -> bool:
    live = hands.get(ObjectRef.to(JOB, "cleaner", "default"))
    conditions = (live or {}).get("status", {}).get("conditions", ())
    return any(c["type"] == "Complete" and c["status"] == "True" for c in conditions)
