"""One run at a time, whatever the clocks say."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from eksnetpol.errors import Refused, TimedOut, Unreachable
from eksnetpol.execution.lease import DURATION, REF, Lease
from tests.execution import plans
from tests.execution.ends import events, go, state_of
from tests.execution.small_world import SmallWorld
from tests.execution.trouble import CHANGES, Disk, Heard, Killed, Process


def lease(world: SmallWorld, run: str, heard: Heard | None = None) -> Lease:
    return Lease(world, world, heard or Heard(), run, "someone@somewhere")


def holder(world: SmallWorld) -> str:
    live = world.api.get(REF)
    return str((live or {}).get("spec", {}).get("holderIdentity", ""))


def test_a_lease_is_taken_renewed_and_given_back() -> None:
    world = plans.cluster()
    mine = lease(world, "r1")
    mine.take()
    live = world.api.get(REF)
    assert live is not None
    assert live["spec"]["holderIdentity"] == "r1 someone@somewhere"
    assert live["spec"]["renewTime"] == "2026-11-27T03:00:00.000000Z"
    world.time += DURATION / 3 - 1
    mine.tend()
    assert world.api.get(REF) == live, "not yet"
    world.time += 1
    mine.tend()
    renewed = world.api.get(REF)
    assert renewed is not None
    assert renewed["spec"]["renewTime"] == "2026-11-27T03:00:10.000000Z"
    assert renewed["spec"]["acquireTime"] == live["spec"]["acquireTime"]
    mine.release()
    assert holder(world) == ""
    lease(world, "r2").take()
    assert holder(world).startswith("r2 ")


def test_a_holder_that_renews_is_alive_though_its_clock_is_hours_behind() -> None:
    world = plans.cluster()
    lease(world, "r1").take()
    live = world.api.get(REF)
    assert live is not None
    old = {**live["spec"], "renewTime": "2020-01-01T00:00:00.000000Z"}
    world.api.replace({**live, "spec": old})
    renewing = world.sleep

    def sleeps(seconds: float) -> None:
        renewing(seconds)
        if 8 < world.time < 14:
            now = world.api.get(REF)
            assert now is not None
            world.api.replace({**now, "spec": {**now["spec"], "renewTime": "2020-01-01T00:00:10.000000Z"}})

    world.sleep = sleeps  # type: ignore[method-assign]
    with pytest.raises(
        Refused, match=r"r1 someone@somewhere holds lease/kube-system/eksnetpol since 2026-11-27T03:00"
    ) as refused:
        lease(world, "r2").take()
    assert refused.value.exit_code == 6
    assert "eksnetpol show r1" in str(refused.value)
    assert world.time < DURATION


def test_a_holder_that_does_not_renew_is_dead_though_its_clock_is_hours_ahead() -> None:
    world = plans.cluster()
    lease(world, "r1").take()
    live = world.api.get(REF)
    assert live is not None
    ahead = (world.now() + timedelta(hours=9)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    world.api.replace({**live, "spec": {**live["spec"], "renewTime": ahead}})
    heard = Heard()
    lease(world, "r2", heard).take()
    assert holder(world).startswith("r2 ")
    assert world.time == DURATION, "its whole duration, and not a moment longer"
    assert "that run is dead; taken over" in heard.lines[-1]
    taken = world.api.get(REF)
    assert taken is not None
    assert taken["spec"]["leaseTransitions"] == 1


def test_who_gives_the_lease_back_while_watched_lets_the_next_one_in() -> None:
    world = plans.cluster()
    first = lease(world, "r1")
    first.take()
    asleep = world.sleep

    def sleeps(seconds: float) -> None:
        asleep(seconds)
        if world.time > 8:
            first.release()

    world.sleep = sleeps  # type: ignore[method-assign]
    lease(world, "r2").take()
    assert holder(world).startswith("r2 ")
    assert world.time < DURATION


def test_a_second_run_is_refused_with_nothing_done() -> None:
    world, disk = plans.cluster(), Disk()
    plan = plans.everything(world)
    second = Process(world, Disk(), "r2")
    met: list[Exception] = []

    def meanwhile(_number: int, name: str) -> None:
        if name == "update_addon" and not met:
            # The first run renews its Lease while the second one sleeps.
            process = first
            asleep = world.sleep

            def sleeps(seconds: float) -> None:
                asleep(seconds)
                live = world.api.get(REF)
                assert live is not None
                world.api.replace({**live, "spec": {**live["spec"], "renewTime": world.now().isoformat()}})

            world.sleep = sleeps  # type: ignore[method-assign]
            with pytest.raises(Refused) as refused:
                go(plan, world, second)
            met.append(refused.value)
            world.sleep = asleep  # type: ignore[method-assign]
            assert process is first

    first = Process(world, disk, after=meanwhile)
    go(plan, world, first)
    assert met
    assert not set(second.moments) & CHANGES
    assert events(disk)[-1] == "closed"


def test_a_resumed_run_takes_its_own_lease_at_once() -> None:
    world, disk = plans.cluster(), Disk()
    plan = plans.everything(world)

    def dies(_number: int, name: str) -> None:
        if name == "apply":
            raise Killed

    with pytest.raises(Killed):
        go(plan, world, Process(world, disk, before=dies))
    assert holder(world).startswith("r1 ")
    at = world.time
    process = Process(world, disk)
    lease(world, "r1").take()
    assert world.time == at
    go(plan, world, process)


def test_a_lease_lost_midway_stops_the_run_before_its_next_change() -> None:
    world, disk = plans.cluster(), Disk()
    plan = plans.everything(world)
    stolen: list[int] = []

    def steals(number: int, name: str) -> None:
        if name == "describe_update" and not stolen:
            stolen.append(number)
            live = world.api.get(REF)
            assert live is not None
            world.api.replace({**live, "spec": {**live["spec"], "holderIdentity": "r9 someone@else"}})
            world.changed.clear()

    process = Process(world, disk, after=steals)
    with pytest.raises(TimedOut, match="r9 someone@else") as lost:
        go(plan, world, process)
    assert lost.value.exit_code == 5
    assert not set(process.moments[stolen[0] :]) & (CHANGES - {"replace"})
    assert holder(world).startswith("r9 "), "what is another's is not given back"
    assert events(disk)[-1] == "stopped update-addon"


def test_a_lease_that_cannot_be_reached_for_a_while_is_no_lost_one() -> None:
    world, disk, heard = plans.cluster(), Disk(), Heard()
    plan = plans.everything(world)
    wanted: Any = None
    calm = plans.cluster()
    go(plan, calm, Process(calm, Disk()))
    calm.settle()
    wanted = state_of(calm)

    def out_of_reach(_number: int, name: str) -> None:
        if name == "replace" and world.time > 10 and world.time < 60:
            raise Unreachable("no route to host")

    go(plan, world, Process(world, disk, before=out_of_reach), heard)
    world.settle()
    assert state_of(world) == wanted
    assert any("could not be renewed" in line for line in heard.lines)


def test_a_lease_lost_among_many_changes_of_one_step_stops_the_rest() -> None:
    world, disk = plans.cluster(), Disk()
    deleted: list[int] = []

    def steals(number: int, name: str) -> None:
        if name == "delete":
            deleted.append(number)
            world.sleep(DURATION / 3 + 1)
            live = world.api.get(REF)
            assert live is not None
            world.api.replace({**live, "spec": {**live["spec"], "holderIdentity": "r9 someone@else"}})

    with pytest.raises(TimedOut, match="r9 someone@else"):
        go(plans.plan_of(plans.delete(world)), world, Process(world, disk, after=steals))
    assert len(deleted) == 1
