"""Roll-outs: how far, why not further, on which nodes."""

from __future__ import annotations

from typing import Any

import pytest

from eksnetpol.errors import StepFailed, TimedOut
from eksnetpol.execution.rolling import STANDSTILL
from eksnetpol.model.kinds import NODE, POD, Json, ObjectRef
from eksnetpol.model.plan import Step
from tests.execution import plans
from tests.execution.ends import events, go
from tests.execution.small_world import AWS_NODE, Fate, SmallWorld
from tests.execution.trouble import Disk, Heard, Process


def step(patience: float = 300.0) -> Step:
    from msgspec.structs import replace

    return replace(plans.switch_agent(), patience=patience)


def run(world: SmallWorld, disk: Disk | None = None, heard: Heard | None = None, patience: float = 300.0) -> Process:
    process = Process(world, disk or Disk())
    go(plans.plan_of(step(patience)), world, process, heard)
    return process


def waiting(reason: str, **container: Any) -> Json:
    state = {"name": "aws-eks-nodeagent", "state": {"waiting": {"reason": reason}}, **container}
    return {"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}], "containerStatuses": [state]}


CRASHING = waiting("CrashLoopBackOff", restartCount=4, lastState={"terminated": {"exitCode": 2, "message": "bind: in use"}})


def test_a_roll_out_is_watched_and_not_polled() -> None:
    world = plans.cluster(nodes=40, fate=Fate(node=3.0))
    heard = Heard()
    process = run(world, heard=heard)
    states = [line for line in heard.lines if line.startswith("rollout")]
    assert states[-1] == "rollout 40/40 ready 40"
    assert len(states) > 40, "every node is told of"
    reads = [name for name in process.moments if name == "get"]
    assert len(reads) < 120 / 5 * 3, "looks are few: what is in between is watched"


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (CRASHING, r"n1 container aws-eks-nodeagent does not run: CrashLoopBackOff \(it ended with exit code 2; bind: in use\)"),
        (waiting("ImagePullBackOff"), "on node n1 container aws-eks-nodeagent does not run: ImagePullBackOff"),
        (waiting("CreateContainerConfigError"), "n1 container aws-eks-nodeagent does not run: CreateContainerConfigError"),
    ],
)  # fmt: skip
def test_a_pod_that_will_not_run_ends_the_wait_by_name(status: Json, said: str) -> None:
    world, disk = plans.cluster(nodes=4, fate=Fate(stuck={"n1": status})), Disk()
    with pytest.raises(StepFailed, match=said) as failed:
        run(world, disk)
    assert failed.value.exit_code == 4
    assert world.time < 60
    assert events(disk)[-1] == "failed switch-agent"


def test_a_first_crash_is_no_loop_yet() -> None:
    world = plans.cluster(fate=Fate(stuck={"n1": waiting("CrashLoopBackOff", restartCount=1)}))
    with pytest.raises(TimedOut, match="n1"):
        run(world, patience=60.0)


def test_pods_of_the_former_template_that_crash_do_not_count() -> None:
    world = plans.cluster(nodes=4, fate=Fate(node=20.0))
    pod = world.api.get(ObjectRef.to(POD, "aws-node-n3", "kube-system"))
    assert pod is not None
    world.api.put({**pod, "status": waiting("CrashLoopBackOff", restartCount=9)})
    run(world)


def test_the_nodes_that_lag_are_named_when_patience_ends() -> None:
    unready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}]}
    world, disk = plans.cluster(nodes=4, fate=Fate(stuck={"n2": unready})), Disk()
    with pytest.raises(TimedOut) as stopped:
        run(world, disk, patience=90.0)
    said = str(stopped.value)
    assert "daemonset/kube-system/aws-node: 4 of 4 nodes updated, 3 available" in said
    assert "waiting for n2 (its pod is Running and not ready)" in said
    assert "eksnetpol resume r1" in said
    assert events(disk)[-1] == "stopped switch-agent"
    world.fate.stuck.clear()
    pod = world.api.get(ObjectRef.to(POD, "aws-node-n2", "kube-system"))
    assert pod is not None
    world.api.put({**pod, "status": {"conditions": [{"type": "Ready", "status": "True"}]}})
    world.look_again()
    run(world, disk, patience=90.0)
    assert events(disk)[-1] == "closed"


def test_a_node_that_was_down_before_is_not_waited_for_and_named() -> None:
    unready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}]}
    world, disk = plans.cluster(nodes=4, fate=Fate(stuck={"n2": unready})), Disk()
    _down(world, "n2", "2026-11-26T20:00:00Z")
    run(world, disk)
    last = [entry for entry in disk.entries if entry.event == "succeeded"][-1]
    assert "the rest cannot run: n2 (the node is not ready since 2026-11-26 20:00Z: NodeStatusUnknown)" in last.detail
    assert world.time < 60


def test_a_node_that_went_down_during_the_roll_out_is_waited_for() -> None:
    unready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}]}
    world = plans.cluster(nodes=4, fate=Fate(stuck={"n2": unready}))
    _down(world, "n2", "2026-11-27T03:00:02Z")
    with pytest.raises(TimedOut, match="n2"):
        run(world, patience=60.0)


def _down(world: SmallWorld, node: str, since: str) -> None:
    found = world.api.get(ObjectRef.to(NODE, node))
    assert found is not None
    condition = {"type": "Ready", "status": "Unknown", "lastTransitionTime": since, "reason": "NodeStatusUnknown"}
    world.api.put({**found, "status": {"conditions": [condition]}})


def test_nothing_rolls_by_itself_with_on_delete_and_that_is_said() -> None:
    world = plans.cluster(nodes=3)
    live = world.api.get(AWS_NODE)
    assert live is not None
    world.api.replace({**live, "spec": {**live["spec"], "updateStrategy": {"type": "OnDelete"}}})
    heard = Heard()
    with pytest.raises(TimedOut, match=r"OnDelete, so nothing rolls by itself: delete the pods of n0 \(still has the former"):
        run(world, heard=heard, patience=60.0)
    assert any("OnDelete" in line for line in heard.lines), "told while it is waited for, too"
    assert world.time >= STANDSTILL


def test_a_daemonset_that_is_deleted_meanwhile_ends_the_wait() -> None:
    world, disk = plans.cluster(nodes=6, fate=Fate(node=5.0)), Disk()
    asleep = world.sleep

    def sleeps(seconds: float) -> None:
        asleep(seconds)
        if world.time > 12:
            world.api.delete(AWS_NODE)

    world.sleep = sleeps  # type: ignore[method-assign]
    with pytest.raises(StepFailed, match="daemonset/kube-system/aws-node is not there"):
        run(world, disk)
    assert world.time < 30, "the watch says so at once"


def test_a_cluster_without_nodes_has_rolled() -> None:
    run(plans.cluster(nodes=0))
