"""What a step may change, and what it may not: guarded writes, and what was there before."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from eksnetpol.errors import Conflict, Denied, Refused, Rejected, StepFailed, TimedOut
from eksnetpol.execution.acting import TRIES
from eksnetpol.model.actions import Apply, Create, Delete, ObjectId, StripFinalizer, Taking
from eksnetpol.model.conditions import Absent, Holds, NoneLeft, Unfinalized
from eksnetpol.model.kinds import NETWORK_POLICY, POLICY_ENDPOINT, Json, ObjectRef
from eksnetpol.model.plan import Step
from tests.execution import plans
from tests.execution.ends import events, go
from tests.execution.plans import ARGS, KEY
from tests.execution.small_world import AWS_NODE, FINALIZER, SWITCH, SmallWorld, configmap, policy
from tests.execution.trouble import Disk, Heard, Process


def run(world: SmallWorld, *steps: Step, disk: Disk | None = None, heard: Heard | None = None) -> Process:
    process = Process(world, disk or Disk())
    go(plans.plan_of(*steps), world, process, heard)
    return process


def apply(obj: Json, *takes: Taking, keeps: bool = False, drops: tuple[str, ...] = ()) -> Step:
    return Step("apply", "Apply", Apply(obj, takes, keeps, drops), Holds(obj))


def owners(world: SmallWorld, ref: ObjectRef) -> set[str]:
    live = world.api.get(ref)
    assert live is not None
    return {book["manager"] for book in live["metadata"]["managedFields"]}


def test_a_field_that_the_plan_names_is_taken_and_the_rest_stays_others() -> None:
    world = plans.cluster()
    run(world, apply(plans.switched("true"), Taking(f".data.{KEY}", "eks")))
    live = world.api.get(SWITCH)
    assert live is not None
    assert live["data"] == {KEY: "true", "warm-ip-target": "1"}
    assert owners(world, SWITCH) == {"eks", "eksnetpol"}


@pytest.mark.parametrize("takes", [(), (Taking(f".data.{KEY}", "helm"),), (Taking(".data.other", "eks"),)])
def test_a_field_that_the_plan_does_not_name_is_refused(takes: tuple[Taking, ...]) -> None:
    world, disk = plans.cluster(), Disk()
    with pytest.raises(Refused, match=rf"configmap/kube-system/amazon-vpc-cni: \.data\.{KEY} of eks") as refused:
        run(world, apply(plans.switched("true"), *takes), disk=disk)
    assert refused.value.exit_code == 6
    assert world.changed == []
    assert events(disk)[-1] == "failed apply"


def test_a_field_that_is_taken_by_somebody_in_between_is_not_forced() -> None:
    """Force is bound to the object as it was when only the plan's own fields were in the way."""
    world = plans.cluster()
    wanted = configmap(**{KEY: "true", "minimum-ip-target": "3"})

    def meanwhile(_number: int, name: str) -> None:
        if name == "apply" and "x" not in world.changed:
            world.changed.append("x")
            world.api.apply(configmap(**{"minimum-ip-target": "9"}), manager="somebody")

    with pytest.raises(Refused, match=r"\.data\.minimum-ip-target of somebody"):
        go(plans.plan_of(apply(wanted, Taking(f".data.{KEY}", "eks"))), world, Process(world, Disk(), after=meanwhile))
    live = world.api.get(SWITCH)
    assert live is not None
    assert live["data"]["minimum-ip-target"] == "9"


def test_an_object_that_changes_under_us_is_read_again_a_few_times() -> None:
    world, heard = plans.cluster(), Heard()
    times: list[int] = []

    def stirs(number: int, name: str) -> None:
        if name == "apply" and len(times) < 3:
            times.append(number)
            live = world.api.get(SWITCH)
            assert live is not None
            world.api.replace({**live, "data": {**live["data"], "warm-ip-target": str(len(times) + 1)}})

    step = apply(plans.switched("true"), Taking(f".data.{KEY}", "eks"))
    go(plans.plan_of(step), world, Process(world, Disk(), after=stirs), heard)
    assert any("changed under us" in line for line in heard.lines)


def test_an_object_that_always_changes_fails_the_step() -> None:
    world = plans.cluster()

    def always(_number: int, name: str) -> None:
        if name == "apply":
            raise Conflict("409: the object has been modified")

    process = Process(world, Disk(), before=always)
    with pytest.raises(StepFailed, match="has been modified"):
        go(plans.plan_of(apply(plans.switched("true"))), world, process)
    assert process.moments.count("apply") == TRIES


def test_an_apply_that_keeps_says_again_what_earlier_ones_hold() -> None:
    world = plans.cluster()
    run(world, Step("first", "First", Apply(configmap(mine="1")), Holds(configmap(mine="1"))))
    run(world, Step("second", "Second", Apply(configmap(more="2"), keeps=True), Holds(configmap(mine="1", more="2"))))
    step = Step(
        "third", "Third", Apply(configmap(), keeps=True, drops=(".data.mine",)), Holds(configmap(more="2"), (".data.mine",))
    )
    run(world, step)
    live = world.api.get(SWITCH)
    assert live is not None
    assert "mine" not in live["data"]
    assert live["data"]["more"] == "2"


def test_what_is_applied_and_taken_back_by_somebody_is_applied_again_by_resuming() -> None:
    world, disk = plans.cluster(nodes=1), Disk()
    plan = plans.plan_of(plans.switch_agent())

    def interrupts(_number: int, name: str) -> None:
        if name == "watch":
            raise KeyboardInterrupt

    with pytest.raises(Exception, match="interrupted"):
        go(plan, world, Process(world, disk, before=interrupts))
    live = world.api.get(AWS_NODE)
    assert live is not None
    world.api.apply(_without_args(), force=True, manager="kubectl")
    go(plan, world, Process(world, disk))
    assert events(disk).count("acted switch-agent") == 2
    assert events(disk)[-1] == "closed"


def _without_args() -> Json:
    return plans.agent("false")


def test_only_the_object_that_was_meant_is_deleted() -> None:
    world = plans.cluster()
    meant = plans.ids(world)
    world.fate.controller = True
    world.api.delete(meant[0].ref)
    world.settle()
    world.api.create(policy("a"), manager="somebody")
    run(world, Step("delete", "Delete", Delete(meant), Absent(meant)))
    assert [found["metadata"]["name"] for found in world.api.objects(NETWORK_POLICY)] == ["a"]


def test_what_a_controller_makes_after_the_plan_goes_too() -> None:
    world = plans.cluster()
    kind = str(POLICY_ENDPOINT)
    for name in ("p1", "p2"):
        world.api.put(
            {
                "apiVersion": "networking.k8s.aws/v1alpha1",
                "kind": "PolicyEndpoint",
                "metadata": {"name": name, "namespace": "shop"},
            }
        )
    disk = Disk()
    run(world, Step("delete", "Delete", Delete((), (kind,)), NoneLeft((kind,))), disk=disk)
    assert world.api.objects(POLICY_ENDPOINT) == ()
    kept = json.loads(disk.files["r1", "before-01-delete.json"])
    assert set(kept["objects"]) == {"policyendpoint/shop/p1", "policyendpoint/shop/p2"}


def test_a_finalizer_goes_and_the_others_stay() -> None:
    world = plans.cluster()
    one = plans.ids(world, ("a",))
    live = world.api.get(one[0].ref)
    assert live is not None
    world.api.replace(
        {**live, "metadata": {**live["metadata"], "finalizers": ["x.example.org/keep", FINALIZER, "y.example.org/keep"]}}
    )
    run(world, Step("strip", "Strip", StripFinalizer(one, FINALIZER), Unfinalized(one, FINALIZER)))
    live = world.api.get(one[0].ref)
    assert live is not None
    assert live["metadata"]["finalizers"] == ["x.example.org/keep", "y.example.org/keep"]


def test_a_list_of_finalizers_that_changes_in_between_is_read_again() -> None:
    world = plans.cluster()
    one = plans.ids(world, ("a",))

    def adds(_number: int, name: str) -> None:
        live = world.api.get(one[0].ref)
        if name == "patch" and live is not None and "z.example.org/new" not in live["metadata"]["finalizers"]:
            world.api.replace(
                {**live, "metadata": {**live["metadata"], "finalizers": ["z.example.org/new", *live["metadata"]["finalizers"]]}}
            )

    process = Process(world, Disk(), before=adds)
    go(plans.plan_of(Step("strip", "Strip", StripFinalizer(one, FINALIZER), Unfinalized(one, FINALIZER))), world, process)
    live = world.api.get(one[0].ref)
    assert live is not None
    assert live["metadata"]["finalizers"] == ["z.example.org/new"]
    assert process.moments.count("patch") == 2


def test_creating_leaves_alone_what_is_there() -> None:
    world, disk = plans.cluster(), Disk()
    wanted = configmap(mine="1")
    with pytest.raises(TimedOut, match=r"\.data\.mine is not there"):
        run(world, replace(Step("make", "Make", Create(wanted), Holds(wanted)), patience=20.0), disk=disk)
    assert world.changed == []
    assert [entry.data for entry in disk.entries if entry.event == "acted"] == [{"existed": True}]
    disk = Disk()
    run(world, Step("make", "Make", Create(plans.definition()), Holds(plans.definition())), disk=disk)
    acted = [entry.data for entry in disk.entries if entry.event == "acted"]
    assert acted[0]["uid"]


def test_what_is_touched_is_kept_as_it_was_before_the_first_attempt() -> None:
    world, disk = plans.cluster(), Disk()
    calm = plans.plan_of(plans.switch_controller(), plans.update(), plans.look())
    go(calm, world, Process(world, disk))
    kept = {name: json.loads(data) for (_, name), data in disk.files.items()}
    assert set(kept) == {"before-01-switch-controller.json", "before-02-update-addon.json"}
    assert kept["before-01-switch-controller.json"]["objects"]["configmap/kube-system/amazon-vpc-cni"]["data"][KEY] == "false"
    assert kept["before-02-update-addon.json"]["addon"]["addonVersion"] == plans.OLD
    assert "daemonset/kube-system/aws-node" in kept["before-02-update-addon.json"]["objects"]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Rejected("policy kyverno/no-changes says no"), "kyverno/no-changes"),
        (Denied("not allowed to patch daemonsets (403)", permission="patch daemonsets"), "not allowed to patch daemonsets"),
    ],
)
def test_what_the_api_will_not_do_fails_the_step_in_its_words(error: Exception, said: str) -> None:
    def says_no(_number: int, name: str) -> None:
        if name == "apply":
            raise error

    world, disk, heard = plans.cluster(), Disk(), Heard()
    with pytest.raises(StepFailed, match=said) as failed:
        go(plans.plan_of(plans.switch_agent()), world, Process(world, disk, before=says_no), heard)
    assert failed.value.step == "switch-agent"
    assert str(failed.value).startswith("step 1 of 1, switch-agent (Switch the agents on), failed: ")
    assert heard.lines[-1].startswith("failed switch-agent: ")


def test_a_back_up_that_was_changed_is_not_restored() -> None:
    world, disk = plans.cluster(), Disk()
    run(world, plans.back_up(world), disk=disk)
    data = disk.files["r1", "policies.json"]
    disk.files["r1", "policies.json"] = data.replace(b'"Ingress"', b'"Egress"', 1)
    for found in world.api.objects(NETWORK_POLICY):
        world.api.delete(ObjectRef.of(found))
    world.settle()
    disk.entries.clear()
    with pytest.raises(StepFailed, match="is not what was kept: its digest differs"):
        run(world, plans.restore(), disk=disk)
    assert world.api.objects(NETWORK_POLICY) == ()


def test_what_was_gone_before_it_could_be_backed_up_is_written_down() -> None:
    world, disk = plans.cluster(), Disk()
    step = plans.back_up(world)
    world.api.delete(ObjectRef.to(NETWORK_POLICY, "a", "shop"))
    world.settle()
    run(world, step, disk=disk)
    kept = json.loads(disk.files["r1", "policies.json"])
    assert kept["gone"] == [{"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "name": "a", "namespace": "shop"}]
    assert [one["object"]["metadata"]["name"] for one in kept["objects"]] == ["b", "c", "d", "e"]


def test_what_is_restored_is_free_of_what_servers_wrote() -> None:
    world, disk = plans.cluster(), Disk()
    before = world.api.get(ObjectRef.to(NETWORK_POLICY, "a", "shop"))
    run(world, plans.back_up(world), plans.delete(world), plans.restore(), disk=disk)
    after = world.api.get(ObjectRef.to(NETWORK_POLICY, "a", "shop"))
    assert before is not None
    assert after is not None
    assert after["spec"] == before["spec"]
    assert "finalizers" not in after["metadata"], "the controller puts its own on, where it is on"
    assert after["metadata"]["uid"] != before["metadata"]["uid"]


def test_an_object_id_without_uid_means_whatever_has_the_name() -> None:
    world = plans.cluster()
    one = (ObjectId(ObjectRef.to(NETWORK_POLICY, "a", "shop")),)
    run(world, Step("delete", "Delete", Delete(one), Absent(one)))
    assert world.api.get(one[0].ref) is None


def test_paths_of_agents_are_as_the_api_server_writes_them() -> None:
    world = plans.cluster()
    with pytest.raises(Conflict) as conflict:
        world.api.apply(plans.agent("true"))
    assert conflict.value.fields == ((ARGS, "kubectl"),)


def test_an_object_that_is_made_anew_in_between_is_not_deleted() -> None:
    world = plans.cluster()
    one = (ObjectId(ObjectRef.to(NETWORK_POLICY, "a", "shop")),)

    def anew(_number: int, name: str) -> None:
        if name == "delete":
            world.api.delete(one[0].ref)
            world.settle()
            world.api.create(policy("a"), manager="somebody")

    step = replace(Step("delete", "Delete", Delete(one), Absent(one)), patience=300.0)
    with pytest.raises(TimedOut, match="still there: networkpolicy/shop/a"):
        go(plans.plan_of(step), world, Process(world, Disk(), before=anew))
    there = world.api.get(one[0].ref)
    assert there is not None
    assert "deletionTimestamp" not in there["metadata"]


def test_a_second_attempt_does_not_forget_what_was_there_before_the_first() -> None:
    world, disk = plans.cluster(nodes=1), Disk()
    plan = plans.plan_of(plans.switch_agent())

    def breaks(_number: int, name: str) -> None:
        if name == "watch":
            raise Rejected("something")

    with pytest.raises(StepFailed):
        go(plan, world, Process(world, disk, before=breaks))
    world.api.apply(plans.agent("maybe"), force=True, manager="kubectl")
    go(plan, world, Process(world, disk))
    kept = json.loads(disk.files["r1", "before-01-switch-agent.json"])
    (live,) = kept["objects"].values()
    assert live["spec"]["template"]["spec"]["containers"][1]["args"] == ["--enable-network-policy=false"]
