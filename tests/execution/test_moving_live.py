"""Draining on a real API server with its real controllers: budgets, DaemonSets, cordons, Jobs, finalizers are its own."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from eksnetpol.errors import Busy, Rejected, TimedOut
from eksnetpol.execution.executor import carry_out
from eksnetpol.execution.observe import observe
from eksnetpol.execution.seeing import State
from eksnetpol.gateways.clock import SystemClock
from eksnetpol.gateways.hands import RealHands, hands_of
from eksnetpol.gateways.session import TargetOptions, connect
from eksnetpol.model.actions import Apply, Create, Delete, Evict, Look, ObjectId
from eksnetpol.model.conditions import Absent, All, Answering, Completed, Evicted, Holds, Ready, Runs, Unchanged
from eksnetpol.model.fingerprints import digest_of_objects
from eksnetpol.model.kinds import CONFIGMAP, DAEMONSET, NETWORK_POLICY, NODE, POD, Json, ObjectRef
from eksnetpol.model.plan import Plan, Step, Undo, Verb
from eksnetpol.planning.rollback import plan_rollback
from tests.execution.town import LABEL, job, labelled, node
from tests.execution.trouble import Disk, Heard, Process
from tests.testbed.build import Components
from tests.testbed.cluster import ControlPlane
from tests.testbed.nodes import node as machine

pytestmark = pytest.mark.testbed

AGENT = ObjectRef.to(DAEMONSET, "old-agent", "kube-system")
FAR = 240.0


@pytest.fixture(scope="module")
def plane(full_programs: Components, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """Two nodes, a workload of three with a budget of two, an agent on each node that keeps off labelled ones."""
    found = ControlPlane.start(tmp_path_factory.mktemp("moving"), programs=full_programs)
    found.start_controllers()
    found.start_scheduler()
    found.start_kwok()
    found.create(machine(number) for number in range(2))
    found.apply(agent(), workload(), budget(), named("Namespace", "v1", "shop"))
    yield found
    found.stop()


@pytest.fixture(scope="module")
def hands(plane: ControlPlane) -> RealHands:
    return hands_of(connect(TargetOptions(kubeconfig=str(plane.kubeconfig()))))


def named(kind: str, api_version: str, name: str, namespace: str = "", **rest: Any) -> Json:
    meta = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": meta, **rest}


def template(name: str, **spec: Any) -> Json:
    containers = [{"name": name, "image": f"example.org/{name}:1"}]
    return {"metadata": {"labels": {"app": name}}, "spec": {"containers": containers, **spec}}


def agent() -> Json:
    expression = {"key": LABEL, "operator": "NotIn", "values": ["vpc-cni"]}
    required = {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    pods = template("old-agent", affinity=affinity, tolerations=[{"operator": "Exists"}])
    spec = {"selector": {"matchLabels": {"app": "old-agent"}}, "template": pods}
    return named("DaemonSet", "apps/v1", "old-agent", "kube-system", spec=spec)


def workload() -> Json:
    spec = {"replicas": 3, "selector": {"matchLabels": {"app": "web"}}, "template": template("web")}
    return named("Deployment", "apps/v1", "web", "default", spec=spec)


def budget(least: int = 3) -> Json:
    spec = {"minAvailable": least, "selector": {"matchLabels": {"app": "web"}}}
    return named("PodDisruptionBudget", "policy/v1", "web", "default", spec=spec)


def soon(what: Callable[[], bool], hands: RealHands, why: str) -> None:
    clock = SystemClock()
    end = clock.monotonic() + 60.0
    while not what():
        assert clock.monotonic() < end, why
        clock.sleep(0.2)
    del hands


def seen(condition: Any, hands: RealHands) -> tuple[State, str]:
    found = observe(condition, hands, Process(hands, Disk()).journal, SystemClock())
    return found.state, found.seen


def go(hands: RealHands, disk: Disk, *steps: Step) -> Heard:
    heard = Heard()
    plan = Plan(verb=Verb.MIGRATE, title="Test", steps=steps)
    carry_out(plan, hands, Process(hands, disk).journal, SystemClock(), heard, holder="test")
    return heard


def applied(id_: str, obj: Json, dropped: str, bare: Json) -> Step:
    undo = Undo("Back", Apply(bare, keeps=True, drops=(dropped,)), Holds(bare, without=(dropped,)))
    return Step(id_, id_, Apply(obj, keeps=True), Holds(obj), undo=undo, patience=FAR)


def test_a_node_leaves_its_old_agent_as_budgets_allow(plane: ControlPlane, hands: RealHands) -> None:  # noqa: PLR0915 - one story
    names = [one["metadata"]["name"] for one in hands.objects(NODE)]
    first, second = names
    assert seen(Ready(tuple(names)), hands)[0] in {State.HOLDS, State.PENDING}
    go(hands, Disk(), Step("ready", "Ready", Look(), All((Ready(tuple(names)), Runs(AGENT, tuple(names)))), patience=FAR))

    def web(on: str = "") -> list[Json]:
        pods = hands.pods_on(on) if on else hands.objects(POD, namespace="default", selector="app=web")
        return [p for p in pods if p["metadata"]["labels"].get("app") == "web" and not p["metadata"].get("deletionTimestamp")]

    soon(lambda: len(web()) == 3 and all(p["spec"].get("nodeName") for p in web()), hands, "the workload runs")
    victim = next(name for name in names if web(name))
    other = next(name for name in names if name != victim)
    assert {p["metadata"]["name"] for p in web(victim)} | {p["metadata"]["name"] for p in web(other)} == {
        p["metadata"]["name"] for p in web()
    }

    def status() -> Json:
        found: Json = plane.get("pdb", "web", "-n", "default").get("status", {})
        return found

    soon(lambda: status().get("currentHealthy") == 3, hands, "the budget counts its pods")

    # A budget that allows nothing: Busy, and the words name it.
    pod = web(victim)[0]
    with pytest.raises(Busy, match="disruption budget web needs 3 healthy pods"):
        hands.evict(ObjectRef.of(pod), uid=pod["metadata"]["uid"])
    hands.evict(ObjectRef.to(POD, "nobody", "default"))

    plain, cordoned = node(victim), node(victim, unschedulable=True)
    cordon = applied("cordon", cordoned, ".spec.unschedulable", plain)
    label = applied("label", labelled(victim), f".metadata.labels.{LABEL}", plain)
    agentless = Step("agent-gone", "Agent gone", Look(), Runs(AGENT, (victim,), gone=True), patience=FAR)
    evict = Step("evict", "Drain", Evict(victim), Evicted(victim), patience=4.0)
    disk = Disk()
    with pytest.raises(TimedOut, match=f"node {victim}: disruption budgets keep default/web-.*budget web needs 3"):
        go(hands, disk, cordon, label, agentless, evict)
    assert seen(Runs(AGENT, (victim,), gone=True), hands)[0] is State.HOLDS
    assert seen(Runs(AGENT, (other,)), hands)[0] is State.HOLDS
    assert seen(Runs(AGENT, (other,), gone=True), hands)[0] is State.PENDING
    assert seen(Ready(label=f"{LABEL}=vpc-cni", at_least=1), hands)[0] is State.HOLDS
    assert web(victim), "nobody was deleted behind the budget's back"

    # Now one may be away at a time: what goes comes again on the other node, and the budget is never broken.
    plane.apply(budget(2))
    soon(lambda: status().get("disruptionsAllowed") == 1, hands, "the budget allows one")
    heard = Heard()
    plan = Plan(verb=Verb.MIGRATE, title="Test", steps=(cordon, label, agentless, Step("evict", "Drain", Evict(victim),
                                                                                  Evicted(victim), patience=FAR)))  # fmt: skip
    fresh = Disk()
    carry_out(plan, hands, Process(hands, fresh).journal, SystemClock(), heard, holder="test")
    assert not web(victim)
    assert all(p["spec"]["nodeName"] == other for p in web() if p["spec"].get("nodeName"))

    # The cleaner's Job is pinned to the node, cordoned or not.
    pinned = job("cleaner-one")
    pinned["spec"]["template"]["spec"]["nodeName"] = victim
    pinned["spec"]["template"]["metadata"] = {"annotations": {"testbed.example.org/state": "complete"}}
    ref = ObjectRef.of(pinned)
    hands.create(pinned)
    soon(lambda: bool(hands.objects(POD, namespace="kube-system", selector="job-name=cleaner-one")), hands, "its pod is there")
    (pod,) = hands.objects(POD, namespace="kube-system", selector="job-name=cleaner-one")
    assert pod["spec"]["nodeName"] == victim
    assert seen(Completed(ref), hands)[0] in {State.PENDING, State.HOLDS}
    hands.delete(ref, uid=str((hands.get(ref) or {})["metadata"]["uid"]))
    soon(lambda: not hands.objects(POD, namespace="kube-system", selector="job-name=cleaner-one"), hands, "its pod goes with it")

    # Back: only what was ours, and the agent is there again.
    back = plan_rollback(plan, run="r1", touched={"cordon", "label"})
    carry_out(back, hands, Process(hands, Disk(), "r2").journal, SystemClock(), heard, holder="test")
    live = hands.get(ObjectRef.to(NODE, victim)) or {}
    assert "unschedulable" not in live["spec"]
    assert LABEL not in live["metadata"]["labels"]
    go(hands, Disk(), Step("runs", "Runs", Look(), Runs(AGENT, (first, second)), patience=FAR))


def test_only_the_pod_that_is_meant_is_evicted_and_one_of_two_budgets_never(plane: ControlPlane, hands: RealHands) -> None:
    pod = {**template("twice"), "apiVersion": "v1", "kind": "Pod"}
    pod["metadata"] = {"name": "twice", "namespace": "default", "labels": {"app": "twice"}}
    plane.apply(pod)
    ref = ObjectRef.to(POD, "twice", "default")
    soon(lambda: ((hands.get(ref) or {}).get("status") or {}).get("phase") == "Running", hands, "it runs")
    hands.evict(ref, uid="another")
    assert not (hands.get(ref) or {})["metadata"].get("deletionTimestamp"), "another pod of its name was meant"
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "twice"}}}
    plane.apply(*(named("PodDisruptionBudget", "policy/v1", f"twice-{n}", "default", spec=spec) for n in (1, 2)))
    with pytest.raises(Rejected, match="more than one PodDisruptionBudget"):
        hands.evict(ref)
    plane.did("delete", "pdb", "twice-1", "twice-2", "-n", "default")
    hands.evict(ref)
    soon(lambda: hands.get(ref) is None, hands, "it went")


def test_what_a_finalizer_holds_is_named_and_what_is_cordoned_by_others_stays_so(plane: ControlPlane, hands: RealHands) -> None:
    held = named("ConfigMap", "v1", "held", "default")
    held["metadata"]["finalizers"] = ["example.org/wedged"]
    made = hands.create(held)
    one = ObjectId(ObjectRef.to(CONFIGMAP, "held", "default"), made["metadata"]["uid"])
    step = Step("go", "Delete", Delete((one,)), Absent((one,)), patience=2.0)
    with pytest.raises(TimedOut, match=r"configmap/default/held \(ending, held by finalizer example.org/wedged\)"):
        go(hands, Disk(), step)
    plane.did("patch", "configmap", "held", "-n", "default", "--type=json", "-p",
              '[{"op": "remove", "path": "/metadata/finalizers"}]')  # fmt: skip
    name = hands.objects(NODE)[0]["metadata"]["name"]
    plane.did("cordon", name)
    uncordon = Step("uncordon", "Uncordon", Apply(node(name), keeps=True, drops=(".spec.unschedulable",)),
                    Holds(node(name), without=(".spec.unschedulable",)), patience=2.0)  # fmt: skip
    cordon = Step("cordon", "Cordon", Apply(node(name, unschedulable=True), keeps=True), Holds(node(name, unschedulable=True)))
    with pytest.raises(TimedOut, match=r"\.spec\.unschedulable is still there"):
        go(hands, Disk(), cordon, uncordon)
    assert (hands.get(ObjectRef.to(NODE, name)) or {})["spec"]["unschedulable"] is True
    plane.did("uncordon", name)


def test_policies_and_answers_of_a_real_cluster(plane: ControlPlane, hands: RealHands) -> None:
    policy = named("NetworkPolicy", "networking.k8s.io/v1", "deny", "shop", spec={"podSelector": {}})
    plane.apply(policy)
    found = hands.objects(NETWORK_POLICY)
    digest = digest_of_objects(found)
    unchanged = Unchanged((str(NETWORK_POLICY), "globalnetworkpolicies.crd.projectcalico.org"), digest)
    assert seen(unchanged, hands)[0] is State.HOLDS, "a kind that nobody serves has no objects"
    plane.apply({**policy, "spec": {"podSelector": {"matchLabels": {"a": "b"}}}})
    assert seen(unchanged, hands)[0] is State.HOPELESS
    assert seen(Answering(), hands)[0] is State.HOLDS
    stale = {"group": "example.org", "version": "v1", "service": {"name": "gone", "namespace": "shop"},
             "groupPriorityMinimum": 100, "versionPriority": 100, "insecureSkipTLSVerify": True}  # fmt: skip
    plane.apply(named("APIService", "apiregistration.k8s.io/v1", "v1.example.org", spec=stale))
    soon(lambda: "APIService v1.example.org is not available" in seen(Answering(), hands)[1], hands, "it is seen to be stale")
    assert seen(Answering(("v1.example.org",)), hands)[0] is State.HOLDS
    plane.did("delete", "apiservice", "v1.example.org")


def test_a_create_that_is_repeated_makes_one_job(hands: RealHands) -> None:
    disk = Disk()
    ref = ObjectRef.of(job("once"))
    step = Step("job", "Job", Create(job("once")), Holds(named("Job", "batch/v1", "once", "kube-system")))
    go(hands, disk, step)
    first = hands.get(ref) or {}
    go(hands, Disk(), step)
    assert (hands.get(ref) or {})["metadata"]["uid"] == first["metadata"]["uid"]
    hands.delete(ref)


def test_the_patch_that_is_offered_lets_go_and_fails_where_anything_has_changed(plane: ControlPlane, hands: RealHands) -> None:
    plane.apply(named("ConfigMap", "v1", "wedged", "shop", data={"a": "b"}))
    ref = ObjectRef.to(CONFIGMAP, "wedged", "shop")
    held = {"op": "add", "path": "/metadata/finalizers", "value": ["example.org/clean-up", "example.org/other"]}
    hands.patch(ref, [held])
    hands.delete(ref)
    seen = observe(Absent((ObjectId(ref),)), hands, Process(hands, Disk()).journal, SystemClock())
    words, _, command = seen.seen.partition(": kubectl ")
    assert "configmap/shop/wedged (ending, held by finalizer example.org/clean-up, example.org/other)" in words
    args = shlex.split(command)
    hands.patch(ref, [{**held, "value": ["example.org/clean-up"]}])
    assert plane.kubectl(*args).returncode != 0, "somebody has let go of one since, and is at work after all"
    assert hands.get(ref) is not None
    seen = observe(Absent((ObjectId(ref),)), hands, Process(hands, Disk()).journal, SystemClock())
    args = shlex.split(seen.seen.partition(": kubectl ")[2])
    assert plane.kubectl(*args).returncode == 0
    assert hands.get(ref) is None
