"""A process dies at every moment in turn; another one goes on. Every moment is tried, none is picked."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eksnetpol.errors import TimedOut
from eksnetpol.execution.progress import past_of
from eksnetpol.model.plan import Plan
from tests.execution import plans
from tests.execution.ends import events, go, state_of
from tests.execution.small_world import SmallWorld
from tests.execution.trouble import Disk, Killed, Process


def undisturbed(plan: Plan, world: SmallWorld) -> tuple[list[str], Any]:
    """Carry a plan out without trouble, and return what was done, call by call, and what came of it."""
    process = Process(world, Disk())
    go(plan, world, process)
    world.settle()
    return process.moments, state_of(world)


def dies_at(moment: int) -> Callable[[int, str], None]:
    def dies(number: int, _name: str) -> None:
        if number == moment:
            raise Killed

    return dies


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_process_that_dies_at_any_moment_is_gone_on_with(when: str) -> None:
    world = plans.cluster()
    plan = plans.everything(world)
    moments, wanted = undisturbed(plan, world)
    assert len(moments) > 150, "the plan is meant to be long"
    for moment, name in enumerate(moments):
        world, disk = plans.cluster(), Disk()
        first = Process(world, disk, **{when: dies_at(moment)})  # type: ignore[arg-type]
        with pytest.raises(Killed):
            go(plan, world, first)
        touched = past_of(disk.entries).touched
        assert ("switch-controller" in touched) >= any("configmap" in change for change in world.changed)
        assert ("update-addon" in touched) >= any(change.startswith("update") for change in world.changed)
        go(plan, world, Process(world, disk))
        world.settle()
        assert state_of(world) == wanted, f"killed {when} {name}, moment {moment}"
        assert events(disk)[-1] == "closed"
        done = [step for event in events(disk) if (step := event.removeprefix("succeeded ")) != event]
        assert done == [step.id for step in plan.steps], f"every step is true once, killed {when} {name}, moment {moment}"


@pytest.mark.parametrize("stride", [7, 23])
def test_processes_that_die_again_and_again_get_there(stride: int) -> None:
    world = plans.cluster()
    plan = plans.everything(world)
    _, wanted = undisturbed(plan, world)
    world, disk = plans.cluster(), Disk()
    deaths = 0
    while events(disk)[-1:] != ["closed"]:
        try:
            # The time before the first change must fit in a life, or no life would ever get anywhere.
            go(plan, world, Process(world, disk, after=dies_at(stride + deaths // 10)))
        except Killed:
            deaths += 1
        assert deaths < 400
    world.settle()
    assert deaths > 5
    assert state_of(world) == wanted


def test_ctrl_c_at_any_moment_leaves_a_journal_that_says_how_to_go_on() -> None:
    world = plans.cluster()
    plan = plans.everything(world)
    moments, wanted = undisturbed(plan, world)
    for moment, name in enumerate(moments):

        def interrupts(number: int, _name: str, moment: int = moment) -> None:
            if number == moment:
                raise KeyboardInterrupt

        world, disk = plans.cluster(), Disk()
        try:
            go(plan, world, Process(world, disk, after=interrupts))
        except TimedOut as stopped:
            said = f"{stopped.exit_code} {stopped}"
            assert re.match("5 .*eksnetpol resume r1", said)
            assert disk.entries[-1].event == "stopped", f"interrupted after {name}, moment {moment}"
        except KeyboardInterrupt:
            assert name == "append", "only while the journal itself is written is there nobody to write it down"
        else:
            assert moment >= len(moments) - 3, "only who is done is not stopped: the Lease is given back"
        go(plan, world, Process(world, disk))
        world.settle()
        assert state_of(world) == wanted, f"interrupted after {name}, moment {moment}"


BUILDERS: dict[str, Callable[[SmallWorld], Any]] = {
    "back-up": plans.back_up,
    "switch-controller": lambda _: plans.switch_controller(),
    "switch-agent": lambda _: plans.switch_agent(),
    "define": lambda _: plans.define(),
    "update-addon": lambda _: plans.update(),
    "strip": plans.strip,
    "release-addon": lambda _: plans.release_addon(),
}
"""Steps that can be done in any order: none undoes what another one waits for."""


@settings(max_examples=60, deadline=None)
@given(st.permutations(sorted(BUILDERS)), st.integers(1, 7), st.lists(st.integers(3, 120), max_size=3), st.booleans())
def test_any_plan_with_any_deaths_ends_as_without(order: list[str], length: int, deaths: list[int], early: bool) -> None:
    chosen = order[:length]
    if "release-addon" in chosen and "update-addon" in chosen[chosen.index("release-addon") :]:
        chosen.remove("update-addon")
    world = plans.cluster()
    plan = plans.plan_of(*(BUILDERS[name](world) for name in chosen))
    _, wanted = undisturbed(plan, world)
    world, disk = plans.cluster(), Disk()
    for moment in deaths:
        try:
            go(plan, world, Process(world, disk, **{"before" if early else "after": dies_at(moment)}))  # type: ignore[arg-type]
        except Killed:
            continue
    go(plan, world, Process(world, disk))
    world.settle()
    assert state_of(world) == wanted
