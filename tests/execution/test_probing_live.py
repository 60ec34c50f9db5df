"""Probes on a real API server with its real controllers, by somebody with the shipped rights: what a probe's pod is to others.

kwok runs pods, and ends those of Jobs; an actor writes what a container leaves behind, for no container runs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from eksnetpol.assets.probes import PROBES, probe_job
from eksnetpol.errors import StepFailed
from eksnetpol.execution.executor import carry_out
from eksnetpol.gateways.clock import SystemClock
from eksnetpol.gateways.hands import RealHands, hands_of
from eksnetpol.gateways.permit_documents import MIGRATOR
from eksnetpol.gateways.session import TargetOptions, connect
from eksnetpol.model.actions import Delete, ObjectId, Probe, ProbeSource, ProbeTarget, ProbeTry
from eksnetpol.model.conditions import Absent, Probed
from eksnetpol.model.kinds import DEPLOYMENT, DISRUPTION_BUDGET, JOB, NODE, POD, Json, ObjectRef
from eksnetpol.model.plan import Plan, Step, Verb
from tests.execution.ends import events
from tests.execution.trouble import Disk, Heard, Process
from tests.fields.server import Server, place
from tests.testbed.build import Components
from tests.testbed.cluster import ControlPlane, User
from tests.testbed.nodes import node as machine
from tests.testbed.playing import playing

pytestmark = pytest.mark.testbed

ROOT = Path(__file__).parents[2]
SPACE = "shop"
Answers = Callable[[list[str]], str]


@pytest.fixture(scope="module")
def plane(full_programs: Components, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """Two nodes, and a shop of two workloads in a namespace that takes restricted pods alone from then on."""
    found = ControlPlane.start(tmp_path_factory.mktemp("probing"), programs=full_programs)
    found.start_controllers()
    found.start_scheduler()
    found.start_kwok()
    found.create(machine(number) for number in range(2))
    found.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}}, app("web"), app("db"))
    found.apply(ROOT / "templates" / "rbac" / "clusterrole-migrate.yaml")
    server = Server(found)
    until(lambda: len(running(server)) == 4, "the shop runs")
    enforced = {"pod-security.kubernetes.io/enforce": "restricted"}
    found.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE, "labels": enforced}})
    server.close()
    yield found
    found.stop()


def app(name: str) -> Json:
    containers = [{"name": name, "image": f"example.org/{name}:1", "ports": [{"containerPort": 5432}]}]
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": containers}}
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": name}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": SPACE}, "spec": spec}


def pods(server: Server) -> list[Json]:
    found: list[Json] = server.ask("GET", place(POD, SPACE)).body["items"]
    return found


def running(server: Server) -> list[Json]:
    return [p for p in pods(server) if p["status"].get("podIP") and PROBES not in p["metadata"].get("labels", {})]


def until(what: Callable[[], bool], why: str) -> None:
    clock = SystemClock()
    end = clock.monotonic() + 90.0
    while not what():
        assert clock.monotonic() < end, why
        clock.sleep(0.2)


def answering(plane: ControlPlane, answers: Answers) -> AbstractContextManager[threading.Event]:
    """Write into each probe's pod that has ended what its container would have left behind."""

    def turn(server: Server) -> None:
        for pod in pods(server):
            ended = pod["status"].get("phase") == "Succeeded" and PROBES in pod["metadata"].get("labels", {})
            if ended and "message" not in pod["status"]["containerStatuses"][0]["state"]["terminated"]:
                end(server, pod)

    def end(server: Server, pod: Json) -> None:
        lines = [line.split() for line in pod["spec"]["containers"][0]["args"]]
        said = "".join(f"{line[0]}={answers(line)}\n" for line in lines)
        path = "/status/containerStatuses/0/state/terminated/message"
        where = place(POD, SPACE, pod["metadata"]["name"]) + "/status"
        server.ask("PATCH", where, [{"op": "add", "path": path, "value": said}], content="application/json-patch+json")

    return playing(plane, turn)


def hands(plane: ControlPlane) -> RealHands:
    return hands_of(connect(TargetOptions(kubeconfig=str(plane.kubeconfig(User("migrator", (MIGRATOR,)))))))


def expected(line: list[str]) -> str:
    return "open" if line[3] == "open" else "silent"


def plan(gate: str, nodes: tuple[str, ...], may_fail: int = 0) -> Plan:
    sources = tuple(
        ProbeSource(f"{SPACE}/Deployment/{name}", ObjectRef.to(JOB, f"eksnetpol-probe-{gate}{name}", SPACE), {"app": name})
        for name in ("web", "db")
    )
    target = ProbeTarget(f"{SPACE}/Deployment/db", "", SPACE, {"app": "db"})
    tries = (ProbeTry(0, 0, 5432, allowed=True), ProbeTry(1, 0, 5432, allowed=False, control=0))
    action = Probe(gate, "example.org/probe@sha256:0f", sources, (target,), tries, nodes)
    jobs = tuple(ObjectId(ref) for ref in action.refs)
    return Plan(
        verb=Verb.MIGRATE,
        title="Test",
        steps=(
            Step("probe", "Try", action, Probed(gate, may_fail), patience=120.0),
            Step("gone", "Delete", Delete(jobs), Absent(jobs), patience=60.0),
        ),
    )


def go(plane: ControlPlane, plan: Plan, disk: Disk) -> None:
    process = Process(hands(plane), disk)
    carry_out(plan, process.hands, process.journal, SystemClock(), Heard(), holder="test")


def test_probes_are_tried_by_the_shipped_rights_and_are_nobodys_pods(plane: ControlPlane) -> None:
    server = Server(plane)
    before = {pod["metadata"]["uid"] for pod in running(server)}
    names = tuple(node["metadata"]["name"] for node in hands(plane).objects(NODE))
    met: dict[str, Any] = {}

    def answers(line: list[str]) -> str:
        for pod in pods(server):
            if PROBES in pod["metadata"]["labels"]:
                met[pod["metadata"]["name"]] = pod
        assert line[1] in {p["status"]["podIP"] for p in running(server) if p["metadata"]["labels"]["app"] == "db"}
        return expected(line)

    disk = Disk()
    with answering(plane, answers):
        go(plane, plan("first", names[:1]), disk)
    assert events(disk)[-1] == "closed"
    said = next(e.detail for e in disk.entries if e.event == "succeeded" and e.step == "probe")
    assert said == "connections that work as they should: 1; that are denied as they should be: 1"
    assert len(met) == 2
    for pod in met.values():
        (owner,) = pod["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["controller"]) == ("Job", True), "no ReplicaSet has adopted it"
        assert pod["spec"]["nodeName"] == names[0]
        assert not [one for one in pod["spec"].get("volumes", ()) if "projected" in one], "it has no token"
    until(lambda: len(pods(server)) == len(before), "the probes' pods go with their Jobs")
    assert {pod["metadata"]["uid"] for pod in running(server)} == before, "no ReplicaSet has deleted one too many"
    for name in ("web", "db"):
        live = server.get(ObjectRef.to(DEPLOYMENT, name, SPACE))
        assert live is not None
        assert live["status"]["replicas"] == 2
    server.close()


def test_a_denied_connection_that_works_stops_the_run_and_trying_again_makes_new_jobs(plane: ControlPlane) -> None:
    disk, looser = Disk(), [True]
    with answering(plane, lambda line: "open" if looser else expected(line)):
        with pytest.raises(StepFailed, match=f"policies deny: {SPACE}/Deployment/db to {SPACE}/Deployment/db"):
            go(plane, plan("second", ()), disk)
        former = {job["metadata"]["uid"] for job in hands(plane).objects(JOB, namespace=SPACE)}
        assert len(former) == 2, "what found it stays to be looked at"
        looser.clear()
        go(plane, plan("second", ()), disk)
    assert events(disk)[-1] == "closed"
    assert not hands(plane).objects(JOB, namespace=SPACE)


def test_a_budget_in_shares_allows_nothing_beside_a_jobs_pod_and_one_from_below_does(plane: ControlPlane) -> None:
    """Why no probe is like the pods of such a budget: the disruption controller looks for a scale that a Job does not have."""
    budgets = {"above": {"maxUnavailable": 1}, "below": {"minAvailable": 1}}
    for name, spec in budgets.items():
        wanted = {**spec, "selector": {"matchLabels": {"app": "web"}}}
        meta = {"name": name, "namespace": SPACE}
        budget = {"apiVersion": DISRUPTION_BUDGET.api_version, "kind": DISRUPTION_BUDGET.name, "metadata": meta, "spec": wanted}
        plane.apply(budget)

    def allowed(name: str) -> int | None:
        found: int | None = plane.get("pdb", name, "-n", SPACE).get("status", {}).get("disruptionsAllowed")
        return found

    until(lambda: (allowed("above"), allowed("below")) == (1, 1), "both allow one")
    ref = ObjectRef.to(JOB, "eksnetpol-probe-third", SPACE)
    plane.apply(probe_job(ref, {"app": "web"}, "example.org/probe", [(0, "10.0.0.1", 1, True)]))
    until(lambda: allowed("above") == 0, "the one from above allows nothing any more")
    assert (allowed("below") or 0) >= 1
    plane.kubectl("delete", "job", "eksnetpol-probe-third", "-n", SPACE)
    until(lambda: allowed("above") == 1, "and does again when the Job is gone")
    with pytest.raises(StepFailed, match="PodDisruptionBudget above would allow no eviction"), answering(plane, expected):
        go(plane, plan("third", ()), Disk())
