"""Nodes are drained as budgets allow, doors are gone through when somebody said so, and deaths and faults lose nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from eksnetpol.errors import DoorClosed, EksNetpolError, StepFailed, TimedOut
from eksnetpol.execution.observe import observe
from eksnetpol.execution.progress import past_of
from eksnetpol.execution.seeing import State
from eksnetpol.execution.server_dry_run import Answer, dry_run
from eksnetpol.model.actions import Look
from eksnetpol.model.conditions import Answering, Covered, Evicted, Ready, Runs, Unchanged
from eksnetpol.model.fingerprints import digest_of_objects
from eksnetpol.model.kinds import NETWORK_POLICY, NODE, POLICY_ENDPOINT, Json, ObjectRef
from eksnetpol.model.plan import Plan, Step, Verb
from tests.execution import town as towns
from tests.execution.ends import events, go
from tests.execution.small_world import AWS_NODE, policy
from tests.execution.test_faults import FAULTS, PASSING, once
from tests.execution.test_interruptions import dies_at
from tests.execution.town import CLEANER, LABEL, PODS, Town, town
from tests.execution.trouble import Disk, Heard, Process

CONFIRMED = ("uninstall",)


def plan_of(*steps: Step) -> Plan:
    return Plan(verb=Verb.MIGRATE, title="Test", steps=steps)


def seen(world: Town, condition: Any, disk: Disk | None = None) -> tuple[State, str]:
    found = observe(condition, world, Process(world, disk or Disk()).journal, world)
    return found.state, found.seen


def ending(world: Town) -> Any:
    """What is there in the end."""
    node = world.api.get(ObjectRef.to(NODE, "n0"))
    assert node is not None
    pods = [sorted(pod["metadata"]["name"] for pod in world.pods_on(name)) for name in ("n0", "n1")]
    owners = [(b["manager"], b.get("fieldsV1")) for b in node["metadata"].get("managedFields", ())]
    return pods, node["metadata"].get("labels"), node.get("spec"), owners, world.api.get(CLEANER) is not None


# --- draining -----------------------------------------------------------------------------------------------------------


def test_a_node_is_emptied_but_for_daemonsets_and_what_was_there_is_elsewhere() -> None:
    world = town()
    go(plan_of(towns.evict()), world, Process(world, Disk()))
    assert sorted(pod["metadata"]["name"] for pod in world.pods_on("n0")) == ["agent", "aws-node-n0"]
    assert {f"{name}-again" for name in PODS} <= {pod["metadata"]["name"] for pod in world.pods_on("n1")}


def test_a_budget_is_asked_again_until_it_allows_it() -> None:
    world, heard = town(), Heard()
    began = world.time
    world.budgets["db-0"] = world.time + 33.0
    go(plan_of(towns.evict()), world, Process(world, Disk()), heard)
    assert world.time >= began + 33.0
    assert world.asked_to_go.count("web-1") == 1, "only who was refused is asked again"
    assert 5 <= world.asked_to_go.count("db-0") <= 9, "at a pace"
    assert any("shop/db-0: " in line and "disruption budget db-0-budget" in line for line in heard.lines)


def test_a_budget_that_never_allows_it_stops_the_run_and_is_named() -> None:
    world, disk = town(), Disk()
    world.budgets["db-0"] = float("inf")
    with pytest.raises(TimedOut) as stopped:
        go(plan_of(towns.evict(patience=60.0)), world, Process(world, disk))
    assert "shop/db-0" in str(stopped.value)
    assert "db-0-budget" in str(stopped.value)
    assert "eksnetpol resume r1" in str(stopped.value)
    assert events(disk)[-1] == "stopped evict"
    world.budgets.clear()
    go(plan_of(towns.evict(patience=60.0)), world, Process(world, disk))
    assert seen(world, Evicted("n0"))[0] is State.HOLDS


def test_a_pod_that_never_ends_is_named() -> None:
    world = town()
    world.never.add("db-0")
    with pytest.raises(TimedOut, match=r"still there: shop/db-0 \(ending\)"):
        go(plan_of(towns.evict(patience=60.0)), world, Process(world, Disk()))


def test_a_bare_pod_stops_the_step_before_anything_is_evicted() -> None:
    world = town()
    world.place("lonely", "n0", owner="")
    with pytest.raises(StepFailed, match="nothing would bring back shop/lonely"):
        go(plan_of(towns.evict()), world, Process(world, Disk()))
    assert world.asked_to_go == []
    process = Process(world, disk := Disk())
    go(plan_of(towns.evict(bare=("shop/lonely",))), world, process)
    assert b"lonely" in disk.files["r1", "before-01-evict.json"], "it is kept as it was, for nothing else brings it back"
    assert {pod["metadata"]["name"] for pod in world.pods_on("n0")} == {"agent", "aws-node-n0"}


def test_mirrors_and_what_has_finished_stay() -> None:
    world = town()
    world.place("static", "n0", owner="Node", annotations={"kubernetes.io/config.mirror": "x"})
    done = world.place("done", "n0", owner="Job")
    world.api.put({**done, "status": {"phase": "Succeeded"}})
    go(plan_of(towns.evict()), world, Process(world, Disk()))
    assert not {"static", "done"} & set(world.asked_to_go)
    assert {pod["metadata"]["name"] for pod in world.pods_on("n0")} == {"agent", "aws-node-n0", "static", "done"}


def test_a_node_that_is_gone_or_is_another_is_drained() -> None:
    world = town()
    assert seen(world, Evicted("n9"))[0] is State.HOLDS
    assert seen(world, Evicted("n0", uid="another"))[0] is State.HOLDS
    assert seen(world, Evicted("n0"))[0] is State.PENDING


TOLERATED = {"key": "node.kubernetes.io/unschedulable"}


@pytest.mark.parametrize(
    ("tolerations", "state"),
    [
        ([{"operator": "Exists"}], State.HOLDS),
        ([{"key": "x", "operator": "Exists"}, {**TOLERATED, "operator": "Exists", "effect": "NoSchedule"}], State.HOLDS),
        ([TOLERATED], State.HOLDS),
        ([], State.PENDING),
        ([{}], State.PENDING),
        ([{"operator": "Exists", "effect": "NoExecute"}], State.PENDING),
        ([{"key": "node.kubernetes.io/not-ready", "operator": "Exists"}], State.PENDING),
        ([{**TOLERATED, "value": "yes"}], State.PENDING),
    ],
)
def test_a_pod_that_a_cordon_does_not_keep_off_may_be_back_on_a_drained_node(tolerations: list[Json], state: State) -> None:
    world = Town()
    pod = world.place("operator", "n0")
    world.api.put({**pod, "spec": {**pod["spec"], "tolerations": tolerations}})
    assert seen(world, Evicted("n0"))[0] is state


class Clinging(Town):
    """A town in which a pod that a cordon does not keep off n0 comes back there at once."""

    def _act(self) -> None:
        super()._act()
        if not any(pod["metadata"]["name"].startswith("operator") for pod in self.pods_on("n0")):
            pod = self.place(f"operator-{self.time:.0f}", "n0")
            self.api.put({**pod, "spec": {**pod["spec"], "tolerations": [{"operator": "Exists"}]}})


def test_a_pod_that_a_cordon_does_not_keep_off_is_asked_to_go_once() -> None:
    world = Clinging()
    world.place("web", "n0")
    world.budgets["web"] = 40.0
    world.sleep(1.0)
    go(plan_of(towns.evict()), world, Process(world, Disk()))
    assert sum(name.startswith("operator") for name in world.asked_to_go) == 1
    assert world.asked_to_go.count("web") > 1
    assert seen(world, Evicted("n0"))[0] is State.HOLDS


def test_a_pod_that_came_after_the_eviction_is_asked_to_go_as_well() -> None:
    world, disk = town(), Disk()
    world.never.add("db-0")
    with pytest.raises(TimedOut):
        go(plan_of(towns.evict(patience=60.0)), world, Process(world, disk))
    world.place("late", "n0")
    world.never.clear()
    go(plan_of(towns.evict(patience=60.0)), world, Process(world, disk))
    assert "late" in world.asked_to_go


def test_a_dry_run_asks_nobody_to_go_and_names_bare_pods() -> None:
    world = town()
    plan = plan_of(towns.evict())
    (said,) = dry_run(plan, world, Heard())
    assert (said.answer, said.words.partition(" ")[0]) == (Answer.NOT_ASKED, "3")
    world.place("lonely", "n0", owner="")
    (said,) = dry_run(plan, world, Heard())
    assert said.answer is Answer.REFUSED
    assert "shop/lonely" in said.words
    assert world.asked_to_go == []


# --- what is waited for ---------------------------------------------------------------------------------------------------


def test_agents_that_run_and_agents_that_are_gone() -> None:
    world = town()
    both = ("n0", "n1")
    assert seen(world, Runs(AWS_NODE, both))[0] is State.HOLDS
    assert seen(world, Runs(AWS_NODE, ("n0", "n7"))) == (State.PENDING, f"{AWS_NODE}: waiting for n7 (no pod of it)")
    state, words = seen(world, Runs(AWS_NODE, ("n1",), gone=True))
    assert (state, "n1" in words, "n0" in words) == (State.PENDING, True, False)
    for pod in [pod for name in both for pod in world.pods_on(name) if pod["metadata"]["name"].startswith("aws-node")]:
        world.api.delete(ObjectRef.of(pod))
    assert seen(world, Runs(AWS_NODE, both, gone=True))[0] is State.HOLDS
    assert seen(world, Runs(AWS_NODE, gone=True))[0] is State.HOLDS
    assert seen(world, Runs(AWS_NODE, both))[0] is State.PENDING
    world.api.delete(AWS_NODE)
    assert seen(world, Runs(AWS_NODE, both))[0] is State.HOPELESS


def test_agents_are_asked_for_on_nodes_with_a_label() -> None:
    world = town()
    label = f"{LABEL}=vpc-cni"
    assert seen(world, Runs(AWS_NODE, label=label)) == (State.HOLDS, f"no node carries {label}")
    assert seen(world, Runs(AWS_NODE, gone=True, label=label))[0] is State.HOLDS
    world.api.apply(towns.labelled("n1"))
    assert seen(world, Runs(AWS_NODE, label=label)) == (State.HOLDS, f"{AWS_NODE} runs on n1 and is ready")
    assert seen(world, Runs(AWS_NODE, gone=True, label=label))[0] is State.PENDING, "new nodes have it until they go again"
    old = ObjectRef("apps/v1", "DaemonSet", "old", "shop")
    agent = world.place("old", "n1", owner="DaemonSet")
    state, words = seen(world, Runs(old, gone=True, label=label))
    assert state is State.HOPELESS, "it runs where it had left, and what it wrote there no look shows"
    assert "runs again on n1, which had left it" in words
    world.api.delete(ObjectRef.of(agent))
    assert seen(world, Runs(old, gone=True, label=label))[0] is State.HOLDS
    world.api.delete(ObjectRef.of(world.pods_on("n1")[0]))
    assert seen(world, Runs(AWS_NODE, label=label))[0] is State.PENDING
    assert seen(world, Runs(AWS_NODE, gone=True, label=label))[0] is State.HOLDS


def test_pods_of_a_daemonset_that_is_gone_still_count() -> None:
    world = town()
    pod = world.pods_on("n0")[-1]
    world.api.put({**pod, "metadata": {**pod["metadata"], "ownerReferences": [{"kind": "DaemonSet", "name": "old", "uid": "1"}]}})
    old = ObjectRef("apps/v1", "DaemonSet", "old", pod["metadata"]["namespace"])
    assert seen(world, Runs(old, gone=True))[0] is State.PENDING
    assert seen(world, Runs(old, ("n1",), gone=True))[0] is State.HOLDS


def test_a_pod_that_is_not_ready_or_of_a_former_template_is_waited_for() -> None:
    world = town()
    pod = next(p for p in world.pods_on("n0") if p["metadata"]["name"] == "aws-node-n0")
    world.api.put({**pod, "status": {"phase": "Running"}})
    assert seen(world, Runs(AWS_NODE, ("n0",))) == (State.PENDING, f"{AWS_NODE}: waiting for n0 (not ready)")
    labels = {**pod["metadata"]["labels"], "controller-revision-hash": "0"}
    world.api.put({**pod, "metadata": {**pod["metadata"], "labels": labels}})
    assert seen(world, Runs(AWS_NODE, ("n0",))) == (State.PENDING, f"{AWS_NODE}: waiting for n0 (a former template)")


def test_nodes_that_are_ready_and_enough_with_a_label() -> None:
    world = town()
    label = f"{LABEL}=vpc-cni"
    assert seen(world, Ready(("n0", "n1")))[0] is State.HOLDS
    assert seen(world, Ready(("n0", "n9"))) == (State.PENDING, "waiting for node n9 (not there)")
    state, words = seen(world, Ready(label=label, at_least=1))
    assert state is State.PENDING
    assert words.startswith(f"0 of 1 nodes with {label} are ready. Nodes get it from whoever brings them: eksctl create ")
    world.api.apply(towns.labelled("n1"))
    assert seen(world, Ready(label=label, at_least=1))[0] is State.HOLDS
    live = world.api.get(ObjectRef.to(NODE, "n1"))
    assert live is not None
    world.api.put({**live, "status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}})
    assert "not ready: n1" in seen(world, Ready(label=label, at_least=1))[1]


def test_a_job_that_completes_fails_or_is_deleted() -> None:
    world, disk = town(), Disk()
    go(plan_of(towns.clean()), world, Process(world, disk))
    assert events(disk)[-2:] == ["succeeded clean", "closed"]
    world = town()
    world.job_ends = ("Failed", "BackoffLimitExceeded")
    with pytest.raises(StepFailed, match=r"has failed: BackoffLimitExceeded; .*kubectl -n kube-system logs job/cleaner"):
        go(plan_of(towns.clean()), world, Process(world, Disk()))
    world = town()

    def gone(_number: int, name: str) -> None:
        if name == "create":
            world.api.delete(CLEANER)

    with pytest.raises(StepFailed, match="somebody deleted it"):
        go(plan_of(towns.clean()), world, Process(world, Disk(), after=gone))


def test_policies_that_changed_are_named_by_the_copies_of_the_run() -> None:
    world, disk = town(), Disk()
    gate = towns.gate(world)
    go(plan_of(towns.keep(world), gate), world, Process(world, disk))
    world.api.create(policy("sneaky"), manager="kubectl")
    edited = world.api.get(ObjectRef.to(NETWORK_POLICY, "a", "shop"))
    assert edited is not None
    world.api.replace({**edited, "spec": {"podSelector": {}, "policyTypes": ["Egress"]}})
    state, words = seen(world, gate.until, disk)
    assert state is State.HOPELESS
    assert "networkpolicy.networking.k8s.io/shop/sneaky is new" in words
    assert "networkpolicy.networking.k8s.io/shop/a was changed" in words
    assert "there are 2 now" in seen(world, gate.until)[1], "without copies only that"
    with pytest.raises(StepFailed, match="make a new plan"):
        go(plan_of(towns.keep(world), gate), town_with(world), Process(world, Disk()))


def town_with(world: Town) -> Town:
    return world


def test_what_is_ours_and_what_means_nothing_is_no_change() -> None:
    world = town()
    digest = digest_of_objects(world.api.objects(NETWORK_POLICY))
    ours = policy("ours")
    ours["metadata"]["labels"] = {"app.kubernetes.io/managed-by": "eksnetpol"}
    world.api.create(ours)
    live = world.api.get(ObjectRef.to(NETWORK_POLICY, "a", "shop"))
    assert live is not None
    world.api.put({**live, "metadata": {**live["metadata"], "annotations": {"x": "y"}, "uid": "other"}, "status": {"z": 1}})
    kinds = (str(NETWORK_POLICY),)
    assert seen(world, Unchanged(kinds, digest, "app.kubernetes.io/managed-by=eksnetpol"))[0] is State.HOLDS
    assert seen(world, Unchanged(kinds, digest))[0] is State.HOPELESS
    world.api.put({**live, "metadata": {**live["metadata"], "labels": {"team": "b"}}})
    assert seen(world, Unchanged(kinds, digest, "app.kubernetes.io/managed-by"))[0] is State.HOPELESS, "sets are found by labels"


def test_every_policy_is_resolved_for_every_pod_or_it_is_not_covered() -> None:
    world = town()
    assert seen(world, Covered()) == (State.HOLDS, "the controller has resolved 1 policies for 4 pods")
    world.place("new", "n1")
    assert "shop/a (not yet for new)" in seen(world, Covered())[1]
    world.api.create(policy("b"))
    assert "shop/b (no PolicyEndpoint yet)" in seen(world, Covered())[1]
    world.api.put(towns.endpoint("a", (*PODS, "new")))
    world.api.put({**towns.endpoint("b", (*PODS, "new")), "metadata": {"name": "b-x", "namespace": "shop"}})
    assert seen(world, Covered())[0] is State.HOLDS
    for found in world.api.objects(POLICY_ENDPOINT):
        world.api.delete(ObjectRef.of(found))
    assert "has not resolved 2 of 2 policies" in seen(world, Covered())[1]


def put(world: Town, api_version: str, kind: str, name: str, namespace: str = "", **rest: Any) -> Json:
    meta = {"name": name, **({"namespace": namespace} if namespace else {}), "labels": rest.pop("labels", {})}
    return world.api.put({"apiVersion": api_version, "kind": kind, "metadata": meta, **rest})


def test_what_makes_the_api_server_stumble_is_named() -> None:
    world = town()
    assert seen(world, Answering())[0] is State.HOLDS
    down = {"conditions": [{"type": "Available", "status": "False", "message": "no response"}]}
    put(world, "apiregistration.k8s.io/v1", "APIService", "v3.projectcalico.org", status=down)
    assert "APIService v3.projectcalico.org is not available (no response)" in seen(world, Answering())[1]
    assert seen(world, Answering(("v3.projectcalico.org",)))[0] is State.HOLDS
    stuck = {"phase": "Terminating", "conditions": [{"type": "X", "status": "True", "message": "discovery failed"}]}
    put(world, "v1", "Namespace", "calico-system", status=stuck)
    allowed: tuple[str, ...] = ("v3.projectcalico.org",)
    assert "namespace calico-system is Terminating: discovery failed" in seen(world, Answering(allowed))[1]
    allowed = (*allowed, "calico-system")
    hook = {"name": "w.example.org", "clientConfig": {"service": {"namespace": "x", "name": "hook"}}}
    group = "admissionregistration.k8s.io/v1"
    put(world, group, "ValidatingWebhookConfiguration", "mild", webhooks=[{**hook, "failurePolicy": "Ignore"}])
    assert seen(world, Answering(allowed))[0] is State.HOLDS
    put(world, group, "ValidatingWebhookConfiguration", "closed", webhooks=[{**hook, "failurePolicy": "Fail"}])
    assert "of closed fails closed and Service x/hook has no ready endpoint" in seen(world, Answering(allowed))[1]
    endpoints = [{"addresses": ["10.0.0.1"], "conditions": {"ready": False}}]
    labels = {"kubernetes.io/service-name": "hook"}
    put(world, "discovery.k8s.io/v1", "EndpointSlice", "hook-1", "x", labels=labels, endpoints=endpoints)
    assert seen(world, Answering(allowed))[0] is State.PENDING
    put(world, "discovery.k8s.io/v1", "EndpointSlice", "hook-1", "x", labels=labels, endpoints=[{"addresses": ["10.0.0.1"]}])
    assert seen(world, Answering(allowed))[0] is State.HOLDS


# --- doors and phases -------------------------------------------------------------------------------------------------------


def test_a_door_that_nobody_confirmed_stops_the_run_before_it() -> None:
    world, disk = town(), Disk()
    plan = plan_of(towns.cordon(), towns.clean(door="uninstall"), towns.uncordon())
    with pytest.raises(DoorClosed) as closed:
        go(plan, world, Process(world, disk))
    assert closed.value.exit_code == 5
    assert closed.value.door == "uninstall"
    assert "eksnetpol resume r1 --confirm uninstall" in str(closed.value)
    assert events(disk)[-2:] == ["succeeded cordon", "stopped clean"]
    assert world.api.get(CLEANER) is None
    assert "clean" not in past_of(disk.entries).touched
    with pytest.raises(DoorClosed):
        go(plan, world, Process(world, disk), confirmed=("left-overs",))
    go(plan, world, Process(world, disk), confirmed=("uninstall",))
    assert world.api.get(CLEANER) is not None
    (approved,) = (entry for entry in disk.entries if entry.event == "approved")
    assert approved.data == {"door": "uninstall", "by": "someone@somewhere"}
    assert approved.step == "clean"


def test_a_door_is_confirmed_once_for_all_steps_behind_it_and_for_whoever_goes_on() -> None:
    world, disk = town(), Disk()
    second = Step("second", "Again", Look(), Ready(("n0",)), door="uninstall")
    plan = plan_of(towns.clean(door="uninstall"), second)
    with pytest.raises(BaseException):  # noqa: B017, PT011 - the process dies
        go(plan, world, Process(world, disk, after=dies_at(12)), confirmed=CONFIRMED)
    go(plan, world, Process(world, disk))
    assert events(disk)[-1] == "closed"
    assert sum(event.startswith("approved") for event in events(disk)) == 1


def test_a_run_stops_after_the_phase_that_was_wanted() -> None:
    world, disk, heard = town(), Disk(), Heard()
    steps = [
        Step(name, name, Look(), Ready(("n0",)), phase=phase)
        for name, phase in (("x", "5a controller"), ("y", "5b agent"), ("z", "6 exit"))
    ]
    go(plan_of(*steps), world, Process(world, disk), heard, until="5b agent")
    assert events(disk)[-2:] == ["succeeded y", "stopped z"]
    assert "note nothing after 5b agent was wanted; eksnetpol resume r1 goes on with 6 exit" in heard.lines
    go(plan_of(*steps), world, Process(world, disk))
    assert events(disk)[-1] == "closed"


# --- deaths and faults ------------------------------------------------------------------------------------------------------


def undisturbed() -> tuple[list[str], Any]:
    world = town()
    process = Process(world, Disk())
    go(towns.moving(world), world, process, confirmed=CONFIRMED)
    world.settle()
    return process.moments, ending(world)


def tried(when: str, happens: Callable[[int, str], None]) -> tuple[Town, Disk, BaseException | None]:
    world, disk = town(), Disk()
    plan = towns.moving(world)
    error: BaseException | None = None
    try:
        go(plan, world, Process(world, disk, **{when: happens}), confirmed=CONFIRMED)  # type: ignore[arg-type]
    except BaseException as stopped:  # noqa: BLE001 - a death is one, too
        error = stopped
    if error is not None:
        go(plan, world, Process(world, disk), confirmed=CONFIRMED)
    world.settle()
    return world, disk, error


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_process_that_dies_at_any_moment_of_a_move_is_gone_on_with(when: str) -> None:
    moments, wanted = undisturbed()
    assert len(moments) > 60
    for moment, name in enumerate(moments):
        world, disk, _ = tried(when, dies_at(moment))
        assert ending(world) == wanted, f"killed {when} {name}, moment {moment}"
        assert events(disk)[-1] == "closed"
        assert sum(change.startswith("evicted") for change in world.changed) == len(PODS)


@pytest.mark.parametrize("fault", sorted(set(FAULTS) - {"changed-meanwhile"}))
def test_one_fault_at_any_call_of_a_move_is_outlived_or_stopped_at(fault: str) -> None:
    moments, wanted = undisturbed()
    for moment, name in enumerate(moments):
        if name in {"append", "save"}:
            continue
        world, disk, error = tried("before", once(moment, FAULTS[fault]))
        where = f"{fault} before {name}, moment {moment}"
        assert ending(world) == wanted, where
        assert error is None or (fault not in PASSING and isinstance(error, EksNetpolError)), where
        assert events(disk)[-1] == "closed", where
