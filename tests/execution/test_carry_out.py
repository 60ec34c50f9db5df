"""What a call of `carry_out` promises, and what its journal says."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from eksnetpol.errors import Refused, TimedOut
from eksnetpol.execution.progress import past_of
from eksnetpol.interfaces.acting import Entry
from eksnetpol.model.plan import Plan, Verb
from tests.execution import plans
from tests.execution.ends import events, go
from tests.execution.small_world import Fate
from tests.execution.trouble import CHANGES, Disk, Heard, Killed, Process


def test_a_plan_without_steps_does_nothing() -> None:
    world, disk = plans.cluster(), Disk()
    process = Process(world, disk)
    go(Plan(verb=Verb.ENABLE), world, process)
    assert events(disk) == ["opened", "closed"]
    assert set(process.moments) == {"append"}


def test_a_plan_that_is_true_already_changes_nothing_and_touches_nothing() -> None:
    world = plans.cluster()
    plan = plans.plan_of(plans.switch_controller(), plans.switch_agent())
    go(plan, world, Process(world, Disk()))
    world.changed.clear()
    disk, heard = Disk(), Heard()
    process = Process(world, disk, "r2")
    go(plan, world, process, heard)
    assert world.changed == []
    assert not set(process.moments) & {"apply", "delete", "patch"}
    assert past_of(disk.entries).touched == frozenset()
    assert sum(line.startswith("skipped") for line in heard.lines) == 2


def test_a_run_that_is_closed_is_not_begun_again() -> None:
    world, disk = plans.cluster(), Disk()
    plan = plans.plan_of(plans.switch_controller())
    go(plan, world, Process(world, disk))
    again = Process(world, disk)
    go(plan, world, again)
    assert again.moments == []


def test_a_journal_of_another_plan_is_refused() -> None:
    world, disk = plans.cluster(), Disk()
    go(plans.plan_of(), world, Process(world, disk))
    disk.entries.pop()
    process = Process(world, disk)
    with pytest.raises(Refused, match="belongs to plan"):
        go(plans.plan_of(plans.switch_agent()), world, process)
    assert process.moments == []


def test_a_run_that_was_rolled_back_is_not_resumed() -> None:
    world, disk = plans.cluster(), Disk()
    disk.entries += [Entry(world.now(), "started", "look"), Entry(world.now(), "rolled-back", data={"run": "r7"})]
    process = Process(world, disk)
    with pytest.raises(Refused, match="taken back by r7"):
        go(plans.plan_of(plans.switch_agent()), world, process)
    assert process.moments == []


def test_a_timeout_takes_the_place_of_the_steps_patience() -> None:
    world, disk = plans.cluster(fate=Fate(update=50.0)), Disk()
    plan = plans.plan_of(plans.update(patience=900.0))
    with pytest.raises(TimedOut) as stopped:
        go(plan, world, Process(world, disk), timeout=20.0)
    assert world.time <= 26.0
    assert stopped.value.exit_code == 5
    assert stopped.value.step == "update-addon"
    assert str(stopped.value) == (
        "step 1 of 1, update-addon (Update the add-on to v1.20.5-eksbuild.1), was not true in time; last seen: add-on vpc-cni: "
        "update u0 is InProgress; 2 of 2 nodes updated, 2 available; nothing is lost: go on with eksnetpol resume r1, or back "
        "with eksnetpol rollback r1"
    )
    short = plans.plan_of(plans.update(patience=10.0))
    world, disk = plans.cluster(fate=Fate(update=50.0)), Disk()
    go(short, world, Process(world, disk), timeout=200.0)


def test_without_waiting_the_last_action_is_accepted_and_proved_by_resuming() -> None:
    world, disk, heard = plans.cluster(fate=Fate(update=50.0)), Disk(), Heard()
    plan = plans.plan_of(plans.switch_controller(), plans.update(), plans.look())
    go(plan, world, Process(world, disk), heard, wait=False)
    assert world.time < 5
    assert events(disk)[-3:] == ["started update-addon", "acted update-addon", "stopped update-addon"]
    assert "succeeded switch-controller" in events(disk), "later steps depend on it"
    assert "eksnetpol resume r1" in heard.lines[-1]
    assert len(world.updates) == 1
    go(plan, world, Process(world, disk))
    assert len(world.updates) == 1
    assert events(disk)[-1] == "closed"


def test_every_kind_of_line_is_in_the_journal_with_what_it_needs() -> None:
    world, disk = plans.cluster(), Disk()
    go(plans.everything(world), world, Process(world, disk))
    opened = disk.entries[0]
    assert opened.event == "opened"
    assert opened.data["by"] == "someone@somewhere"
    acted = {entry.step: entry.data for entry in disk.entries if entry.event == "acted"}
    assert acted["update-addon"]["update"] == "u0"
    assert acted["switch-agent"].keys() >= {"object", "uid", "resourceVersion", "forced"}
    assert acted["back-up"]["digest"]
    assert acted["delete"] == {"deleted": 5}
    assert "look" not in acted


def test_nothing_is_written_before_the_line_that_says_so() -> None:
    world, disk = plans.cluster(), Disk()
    process = Process(world, disk)
    go(plans.everything(world), world, process)
    lines = iter(disk.entries)
    started: set[str] = set()
    step = ""
    for moment in process.moments:
        if moment == "append":
            entry = next(lines)
            started |= {entry.step} if entry.event == "started" else set()
            step = entry.step
        elif moment in CHANGES - {"create", "replace"}:
            assert step in started, f"{moment} after a line about {step}"


def test_a_failed_run_tells_its_watcher_why() -> None:
    world, disk, heard = plans.cluster(), Disk(), Heard()
    step = replace(plans.update(), action=replace(plans.update().action, addon="coredns"))
    world.addon = None
    with pytest.raises(Exception, match="there is no add-on coredns"):
        go(plans.plan_of(step), world, Process(world, disk), heard)
    assert heard.lines[-1].startswith("failed update-addon")


@pytest.mark.parametrize("step", ["switch-agent", "update-addon"])
def test_what_was_written_down_as_done_is_not_done_again(step: str) -> None:
    world, disk = plans.cluster(), Disk()
    plan = plans.plan_of(plans.update() if step == "update-addon" else plans.switch_agent())

    def dies(_number: int, name: str) -> None:
        if name == "append" and events(disk)[-1] == f"acted {step}":
            raise Killed

    with pytest.raises(Killed):
        go(plan, world, Process(world, disk, after=dies))
    process = Process(world, disk)
    go(plan, world, process)
    assert not set(process.moments) & {"apply", "update_addon"}
    assert events(disk)[-1] == "closed"
