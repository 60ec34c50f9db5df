"""The way back from a run, and back again."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from eksnetpol.execution.progress import past_of
from eksnetpol.model.actions import Look, Restore, UpdateAddon
from eksnetpol.model.conditions import Restored
from eksnetpol.model.plan import FieldChange, Plan, Step, Verb
from eksnetpol.planning.disable_policies import leavings
from eksnetpol.planning.rollback import PARTIAL, plan_rollback
from tests.execution import plans
from tests.execution.ends import go, state_of
from tests.execution.small_world import SmallWorld
from tests.execution.trouble import Disk, Killed, Process

LEAVINGS = [step.id for step in leavings()]
"""What a controller leaves behind that is switched off again."""


def reversible(world: SmallWorld) -> Plan:
    change = FieldChange("configmap/kube-system/amazon-vpc-cni", f".data.{plans.KEY}", "false", "true", ("eks",))
    addon = FieldChange("add-on vpc-cni", "enableNetworkPolicy", "false", "true")
    other = FieldChange("configmap/kube-system/other", ".data.x", None, "1")
    steps = (plans.back_up(world), plans.switch_controller(), plans.switch_agent(), plans.define(), plans.delete(world))
    return Plan(verb=Verb.DISABLE, title="Change much", steps=steps, changes=(change, addon, other))


def there(world: SmallWorld) -> object:
    """What is said in the cluster, without whose it is and how often it was changed."""
    objects, addon, _ = state_of(world)
    return {key: rest.split("'status'")[0] for key, (_, rest, _) in objects.items()}, addon


def test_a_run_that_is_rolled_back_leaves_what_was_there() -> None:
    world = plans.cluster()
    before = there(world)
    plan, disk = reversible(world), Disk()
    go(plan, world, Process(world, disk))
    world.settle()
    after = there(world)
    assert after != before
    back = plan_rollback(plan, run="r1", touched=past_of(disk.entries).touched)
    assert [step.id for step in back.steps] == [
        "back-switch-controller",
        *LEAVINGS,
        "back-delete",
        "back-define",
        "back-switch-agent",
    ]
    assert back.undoes == "r1"
    assert back.verb is Verb.ROLLBACK
    disk.entries.clear()
    go(back, world, Process(world, disk, "r2"))
    world.settle()
    assert there(world) == before


def test_a_rollback_can_be_rolled_back() -> None:
    world = plans.cluster()
    plan, disk = reversible(world), Disk()
    go(plan, world, Process(world, disk))
    world.settle()
    after = there(world)
    runs = {"r1": plan}
    touched = past_of(disk.entries).touched
    for number in range(2, 5):
        run = f"r{number}"
        runs[run] = plan_rollback(runs[f"r{number - 1}"], run=f"r{number - 1}", touched=touched)
        disk.entries.clear()
        go(runs[run], world, Process(world, disk, run))
        world.settle()
        touched = past_of(disk.entries).touched
        assert (there(world) == after) == (number % 2 == 1), run
    assert [step.id for step in runs["r3"].steps] == ["switch-agent", "define", "delete", "switch-controller"]
    assert runs["r4"].title == "Go back on r3"


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_run_that_died_at_any_moment_can_be_gone_back_on(when: str) -> None:
    world = plans.cluster()
    before = there(world)
    plan, calm = reversible(world), Process(world, Disk())
    go(plan, world, calm)
    for moment, name in enumerate(calm.moments):

        def dies(number: int, _name: str, moment: int = moment) -> None:
            if number == moment:
                raise Killed

        world, disk = plans.cluster(), Disk()
        with pytest.raises(Killed):
            go(plan, world, Process(world, disk, **{when: dies}))  # type: ignore[arg-type]
        back = plan_rollback(plan, run="r1", touched=past_of(disk.entries).touched)
        disk.entries.clear()
        # The Lease of the dead run is another's to the rollback.
        go(back, world, Process(world, disk, "r2"))
        world.settle()
        assert there(world) == before, f"killed {when} {name}, moment {moment}"


def test_what_was_not_touched_stays() -> None:
    world = plans.cluster()
    back = plan_rollback(reversible(world), run="r1", touched={"switch-controller"})
    assert [step.id for step in back.steps] == ["back-switch-controller", *LEAVINGS]
    (agent,) = plan_rollback(reversible(world), run="r1", touched={"switch-agent"}).steps
    assert agent.id == "back-switch-agent"
    assert back.changes == (FieldChange("configmap/kube-system/amazon-vpc-cni", f".data.{plans.KEY}", "true", "false", ("eks",)),)
    assert plan_rollback(reversible(world), run="r1", touched=()).steps == ()


def test_the_back_up_of_the_run_is_meant_and_not_one_of_the_rollback() -> None:
    world = plans.cluster()
    back = plan_rollback(reversible(world), run="r1", touched={"delete"})
    assert back.steps[0].action == Restore("policies.json", run="r1")
    assert back.steps[0].until == Restored("policies.json", run="r1")


def test_a_one_way_door_is_named_and_refuses() -> None:
    door = Step("recycle", "Recycle the nodes", Look(), plans.look().until, one_way="what the kernel held is gone")
    back = plan_rollback(plans.plan_of(plans.switch_controller(), door), run="r1", touched={"switch-controller", "recycle"})
    assert [(refusal.why, refusal.flag) for refusal in back.refusals] == [
        ("recycle (Recycle the nodes) cannot be taken back: what the kernel held is gone", PARTIAL)
    ]
    assert [step.id for step in back.steps] == ["back-switch-controller"]
    assert back.afterwards == ("by hand, if it is to be undone at all: Recycle the nodes: what the kernel held is gone",)
    assert plan_rollback(plans.plan_of(door), run="r1", touched=()).refusals == ()


def test_the_release_afterwards_is_the_one_from_before() -> None:
    plan = plans.plan_of(plans.update())
    back = plan_rollback(plan, run="r1", touched={"update-addon"})
    assert back.release == "1.20.0"
    assert back.steps[0].action == UpdateAddon(plans.OLD, plans.OFF, "OVERWRITE")
    again = plan_rollback(back, run="r2", touched={"back-update-addon"})
    assert again.steps[0].action == plans.update().action
    assert replace(again.steps[0], undo=None) == replace(plans.update(), undo=None)
