"""The managed add-on by two clocks: the update first, then its health."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from msgspec.structs import replace

from eksnetpol.errors import StepFailed, TimedOut
from eksnetpol.execution.addon_acting import token_of
from eksnetpol.execution.addon_health import GRACE, SHORT_GRACE
from eksnetpol.interfaces.acting import Entry
from eksnetpol.model import eks
from eksnetpol.model.actions import CreateAddon, UpdateAddon
from eksnetpol.model.conditions import AddonIs
from eksnetpol.model.plan import Step
from tests.execution import plans
from tests.execution.ends import events, go
from tests.execution.plans import NEW, OFF, OLD, ON
from tests.execution.small_world import AWS_NODE, Fate, SmallWorld
from tests.execution.trouble import Disk, Heard, Killed, Process

CONFLICT = eks.UpdateError(
    "ConfigurationConflict",
    "Conflicts found when trying to apply. Will not continue due to resolve conflicts mode. Conflicts: ConfigMap "
    "amazon-vpc-cni - .data.enable-windows-ipam",
)
REPLICAS = eks.UpdateError("InsufficientNumberOfReplicas", "The add-on is unhealthy because it doesn't have enough replicas")


def run(world: SmallWorld, step: Step | None = None, disk: Disk | None = None, heard: Heard | None = None) -> Disk:
    disk = disk or Disk()
    go(plans.plan_of(step or plans.update()), world, Process(world, disk), heard)
    return disk


def updates(world: SmallWorld) -> int:
    return len(world.updates)


def test_an_update_is_followed_to_its_end_and_then_health_counts() -> None:
    heard = Heard()
    world = plans.cluster(fate=Fate(update=40.0))
    run(world, heard=heard)
    assert [line for line in heard.lines if "update u0" in line][-1].startswith("note add-on vpc-cni: update u0 is Successful")
    assert world.addon is not None
    assert world.addon.addon_version == NEW


def test_waiting_costs_at_most_one_question_to_aws_in_five_seconds() -> None:
    world = plans.cluster(fate=Fate(update=400.0))
    run(world)
    acted = [name for _, name in world.asked].index("update_addon")
    waiting = [time for time, _ in world.asked[acted:]]
    assert len(waiting) > 10
    assert min(b - a for a, b in pairwise(waiting)) >= 5.0


def test_the_roll_out_is_seen_while_the_update_is_waited_for() -> None:
    heard = Heard()
    # The update goes on for long after it has written the DaemonSet: what a real one does.
    world = plans.cluster(nodes=6, fate=Fate(update=60.0))
    asleep = world.sleep

    def sleeps(seconds: float) -> None:
        asleep(seconds)
        if world.time > 10 and updates(world) and "early" not in world.changed:
            world.changed.append("early")
            world.api.apply({**_agent("v2")}, force=True, manager="eks")

    world.sleep = sleeps  # type: ignore[method-assign]
    run(world, heard=heard)
    steps = [line for line in heard.lines if line.startswith("rollout")]
    assert len(steps) >= 6, "one line for each node that rolls, not one for each question to AWS"


def _agent(image: str) -> dict[str, object]:
    from tests.execution.small_world import daemonset

    return daemonset("true", image)


def test_active_right_after_the_update_is_not_believed() -> None:
    """EKS goes on saying ACTIVE for a while, here even with the wanted version."""
    world = plans.cluster(fate=Fate(update=40.0, stale=20.0))
    begin = world.begin

    def begins(wanted: UpdateAddon, token: str) -> object:
        running = begin(wanted, token)
        assert world.addon is not None
        world.addon = replace(world.addon, addon_version=wanted.version, configuration_values=wanted.configuration_values)
        return running

    world.begin = begins  # type: ignore[method-assign, assignment]
    run(world)
    assert world.time >= 40.0


def test_active_with_an_update_of_somebody_else_under_way_is_not_what_is_wanted() -> None:
    world = plans.cluster(fate=Fate(update=40.0, stale=1000.0))
    world.begin(UpdateAddon(OLD, OFF, "NONE"), "theirs")
    disk = run(world, Step("look", "Look", plans.look().action, AddonIs(OLD, OFF), patience=300.0))
    assert world.time >= 40.0
    assert events(disk)[-1] == "closed"


@pytest.mark.parametrize("grace", [GRACE - 30, GRACE + 200])
def test_degraded_is_given_time_and_no_more(grace: float) -> None:
    issue = eks.AddonIssue("InsufficientNumberOfReplicas", "not enough replicas")
    world = plans.cluster(fate=Fate(update=20.0, status_after="DEGRADED", issues=(issue,), heals_after=grace))
    if grace < GRACE:
        run(world)
        return
    disk = Disk()
    with pytest.raises(StepFailed, match=r"DEGRADED for 6\d\d s without any progress") as failed:
        run(world, disk=disk)
    assert failed.value.exit_code == 4
    assert "rollout status daemonset/aws-node" in str(failed.value), "what to do next"
    assert events(disk)[-1] == "failed update-addon"


def test_degraded_by_what_does_not_pass_is_given_little_time() -> None:
    issue = eks.AddonIssue("AccessDenied", "no permission")
    world = plans.cluster(fate=Fate(update=20.0, status_after="DEGRADED", issues=(issue,)))
    with pytest.raises(StepFailed, match="AccessDenied"):
        run(world)
    assert 20 + SHORT_GRACE <= world.time < 20 + SHORT_GRACE + 60


def test_degraded_is_waited_for_while_the_roll_out_moves() -> None:
    """A big cluster: the update fails for want of replicas, and the DaemonSet converges long after the grace."""
    issue = eks.AddonIssue("InsufficientNumberOfReplicas", "not enough replicas")
    fate = Fate(20.0, "Failed", (REPLICAS,), "DEGRADED", (issue,), heals_after=1300.0, node=200.0)
    world = plans.cluster(nodes=6, fate=fate)
    heard = Heard()
    run(world, plans.update(patience=3600.0), heard=heard)
    assert world.time > 1300
    assert any("which may pass" in line and "next:" in line for line in heard.lines)


def test_update_failed_ends_at_once_with_its_errors_in_words() -> None:
    world = plans.cluster(fate=Fate(20.0, "Failed", (CONFLICT,), "UPDATE_FAILED"))
    disk = Disk()
    with pytest.raises(StepFailed) as failed:
        run(world, disk=disk)
    said = str(failed.value)
    assert "ConfigMap amazon-vpc-cni .data.enable-windows-ipam" in said
    assert "somebody else owns fields" in said
    assert "eksnetpol resume r1" in said
    assert "eksnetpol rollback r1" in said
    assert world.time < 40
    assert events(disk) == ["opened", "started update-addon", "acted update-addon", "failed update-addon"]


def test_a_failed_attempt_is_followed_by_one_with_a_token_of_its_own() -> None:
    world = plans.cluster(fate=Fate(20.0, "Failed", (CONFLICT,), "UPDATE_FAILED"))
    disk = Disk()
    with pytest.raises(StepFailed):
        run(world, disk=disk)
    world.fate = Fate()
    run(world, disk=disk)
    assert updates(world) == 2
    assert [one.token for one in world.updates] == [token_of("r1", "update-addon", 0), token_of("r1", "update-addon", 1)]
    assert events(disk)[-1] == "closed"


def test_a_cancelled_update_is_no_success() -> None:
    with pytest.raises(StepFailed, match="update u0 is Cancelled"):
        run(plans.cluster(fate=Fate(20.0, "Cancelled", (), "ACTIVE")))


def test_an_update_that_succeeded_and_did_something_else_is_waited_for_and_told() -> None:
    world = plans.cluster(fate=Fate(update=10.0))

    def other(_number: int, name: str) -> None:
        if name == "describe_update" and world.addon is not None and world.updates[0].ended:
            world.addon = replace(world.addon, configuration_values=OFF)

    disk = Disk()
    with pytest.raises(TimedOut, match="its configuration values are not the wanted ones"):
        go(plans.plan_of(plans.update(patience=100.0)), world, Process(world, disk, after=other))


def test_another_update_is_waited_for_and_then_ours_is_made() -> None:
    world = plans.cluster(fate=Fate(update=40.0))
    world.begin(UpdateAddon(OLD, '{"env": {"WARM_IP_TARGET": "5"}}', "NONE"), "theirs")
    heard = Heard()
    run(world, heard=heard)
    assert updates(world) == 2
    assert any("is busy" in line for line in heard.lines)
    asked = [time for time, name in world.asked if name in {"describe_update", "describe_addon"}]
    assert len(asked) <= 2 + world.time / 5


def test_another_update_that_does_the_same_leaves_nothing_to_do() -> None:
    world = plans.cluster(fate=Fate(update=40.0))
    world.begin(UpdateAddon(NEW, ON, "NONE"), "theirs")
    disk = run(world)
    assert updates(world) == 1
    assert "acted update-addon" not in events(disk)
    assert events(disk)[-1] == "closed"


def test_an_update_whose_id_was_lost_is_found_though_eks_forgot_the_token() -> None:
    world, disk = plans.cluster(fate=Fate(update=40.0)), Disk()

    def dies(_number: int, name: str) -> None:
        if name == "update_addon":
            raise Killed

    with pytest.raises(Killed):
        go(plans.plan_of(plans.update()), world, Process(world, disk, after=dies))
    world.tokens.clear()
    run(world, disk=disk)
    assert updates(world) == 1
    acted = next(entry for entry in disk.entries if entry.event == "acted")
    assert acted.data["update"] == "u0"


def test_an_older_update_of_the_same_content_is_not_taken_for_ours() -> None:
    world, disk = plans.cluster(fate=Fate(update=5.0)), Disk()
    world.begin(UpdateAddon(NEW, ON, "NONE"), "long ago")
    world.settle()
    assert world.addon is not None
    world.addon = replace(world.addon, addon_version=OLD, configuration_values=OFF)
    world.time += 3600
    disk.entries.append(Entry(world.now(), "opened"))
    disk.entries.append(Entry(world.now() - timedelta(seconds=1), "started", "update-addon"))
    run(world, disk=disk)
    assert updates(world) == 2


def test_configurations_are_compared_as_documents() -> None:
    world = plans.cluster()
    assert world.addon is not None
    world.addon = replace(world.addon, configuration_values='env:\n  A: "1"\nenableNetworkPolicy: "false"\n')
    disk = run(world, plans.update(OLD, '{"enableNetworkPolicy":"false","env":{"A":"1"}}'))
    assert events(disk) == ["opened", "succeeded update-addon", "closed"]


def test_the_role_counts_where_the_plan_names_one() -> None:
    world = plans.cluster()
    wanted = AddonIs(OLD, OFF, role_arn="arn:aws:iam::111122223333:role/cni")
    step = Step("role", "Give it its role", UpdateAddon(OLD, OFF, "NONE", wanted.role_arn), wanted, patience=60.0)
    with pytest.raises(TimedOut, match="its role is the node role, not arn:aws"):
        run(world, step)


def test_an_add_on_that_is_there_is_not_adopted_twice() -> None:
    world = plans.cluster()
    step = Step("adopt", "Adopt", CreateAddon(NEW, ON, "OVERWRITE"), AddonIs(NEW, ON))
    with pytest.raises(StepFailed, match=f"there is one already: its version is {OLD}"):
        run(world, step)


@pytest.mark.parametrize(
    ("fate", "said"),
    [
        (Fate(5.0, status_after="CREATE_FAILED", issues=(eks.AddonIssue("ConfigurationConflict", "x"),)), "CREATE_FAILED"),
        (Fate(5.0, status_after="DELETING"), "somebody is deleting it"),
    ],
)
def test_creating_that_fails_ends_at_once(fate: Fate, said: str) -> None:
    world = plans.cluster(fate=fate)
    world.addon = None
    with pytest.raises(StepFailed, match=said):
        run(world, plans.adopt())
    assert world.time < 60


def test_an_add_on_that_somebody_deletes_meanwhile_is_told() -> None:
    world = plans.cluster()

    def deletes(_number: int, name: str) -> None:
        if name == "describe_update" and world.updates[0].ended:
            world.addon = None

    with pytest.raises(StepFailed, match="EKS manages no add-on vpc-cni any more"):
        go(plans.plan_of(plans.update()), world, Process(world, Disk(), after=deletes))


def test_what_lags_when_patience_ends_is_resumed_without_a_second_update() -> None:
    world, disk = plans.cluster(fate=Fate(update=200.0)), Disk()
    with pytest.raises(TimedOut, match="update u0 is InProgress"):
        run(world, plans.update(patience=60.0), disk)
    run(world, plans.update(patience=60.0 + 400), disk=_bound_to(disk, plans.update(patience=460.0)))
    assert updates(world) == 1


def _bound_to(disk: Disk, step: Step) -> Disk:
    """The same journal for a plan with more patience."""
    digest = plans.plan_of(step).digest
    disk.entries = [replace(e, data={**e.data, "plan": digest}) if "plan" in e.data else e for e in disk.entries]
    return disk


def test_the_daemonset_may_be_gone_while_the_add_on_is_changed() -> None:
    world = plans.cluster()
    world.api.delete(AWS_NODE)
    run(world)
    assert world.addon is not None
    assert world.addon.addon_version == NEW


def test_an_update_of_a_former_attempt_is_not_taken_for_this_ones() -> None:
    """The first attempt's update succeeded and the add-on got worse; the second one died as it began."""
    world, disk = plans.cluster(fate=Fate(update=5.0)), Disk()
    world.begin(UpdateAddon(NEW, ON, "NONE"), token_of("r1", "update-addon", 0))
    world.sleep(6.0)
    assert world.addon is not None
    world.addon = replace(world.addon, addon_version=OLD, configuration_values=OFF)
    now = world.now()
    disk.entries += [
        Entry(now, "opened"),
        Entry(now, "started", "update-addon"),
        Entry(now, "acted", "update-addon", data={"update": "u0"}),
        Entry(now, "failed", "update-addon"),
        Entry(now, "started", "update-addon"),
    ]
    run(world, disk=disk)
    assert updates(world) == 2
