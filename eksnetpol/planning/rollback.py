"""The way back from a run: the undos of the steps that it touched, the last one first, as a plan of its own."""

from __future__ import annotations

from collections.abc import Collection
from typing import assert_never

from msgspec.structs import replace

from eksnetpol.model.actions import (
    Action,
    Apply,
    BackUp,
    Create,
    CreateAddon,
    Delete,
    DeleteAddon,
    Evict,
    Look,
    ObjectId,
    Probe,
    Restore,
    StripFinalizer,
    UpdateAddon,
)
from eksnetpol.model.conditions import (
    Absent,
    AddonIs,
    All,
    Condition,
    Restored,
    RolledOut,
    Runs,
    Unfinalized,
    conditions,
)
from eksnetpol.model.plan import FieldChange, Plan, Refusal, Step, Undo, Verb
from eksnetpol.planning.disable_policies import leavings
from eksnetpol.planning.places import AWS_NODE, CONTROLLER_PATH, SETTINGS

PARTIAL = "--partial"
"""The flag that lets a rollback go back as far as it can, though a one-way door was gone through."""

_BACK = "back-"

_KEPT_RULES = (
    "EKS switches controller and agents off in one update, so that pods which policies isolate keep their last rules in the "
    "kernel until they or their nodes are replaced; eksnetpol disable opens them at once: it deletes the policies while the "
    "agents still work, and eksnetpol restore puts them back"
)
_RECYCLING = "replace the nodes whose pods were policed, a few at a time: what the agent loaded stays in their kernels until then"


def plan_rollback(plan: Plan, *, run: str, touched: Collection[str]) -> Plan:
    """Return the plan that takes back what *run* did of *plan*; *touched* are the ids of steps that may have changed something.

    A step that was started counts: whether it changed anything, its undo's condition says when the rollback is carried out. A
    step that was true before the run is not touched, and stays. Steps that cannot be taken back are named, and refuse the plan
    unless the person wants the rest of it. Each step of the rollback can be taken back in turn. Where it switches the controller
    off, it ends with what that leaves behind: finalizers on policies and PolicyEndpoints, which the controller makes anew.
    """
    mine = [step for step in plan.steps if step.id in touched]
    steps = tuple(_back(step, step.undo, run) for step in reversed(mine) if step.undo is not None)
    changes = _reversed(plan.changes, mine)
    off = _switches_controller_off(changes)
    if plan.verb is Verb.MIGRATE:
        steps = _back_to_the_old_engine(steps, off=off)
    elif off:
        steps = _ordered(steps)
    doors = tuple(step for step in reversed(mine) if step.undo is None and step.one_way)
    refusals = tuple(Refusal(f"{step.id} ({step.title}) cannot be taken back: {step.one_way}", PARTIAL) for step in doors)
    release = next((s.action.version for s in reversed(steps) if isinstance(s.action, UpdateAddon | CreateAddon)), "")
    return Plan(
        target=plan.target,
        verb=Verb.ROLLBACK,
        way=plan.way,
        title=f"Go back on {run}" if plan.verb is Verb.ROLLBACK else f"Go back on {run}: {plan.title or plan.verb}",
        release=release.partition("-eksbuild")[0].removeprefix("v"),
        steps=steps,
        changes=changes,
        # Taking enforcement back closes nobody in; whom it isolates to take a disabling back, the old plan does not know.
        isolates=() if plan.verb is Verb.ENABLE else None,
        rollout=plan.rollout if any(_rolls(step.until) for step in steps) else None,
        facts=_facts(plan, run, mine, steps),
        refusals=refusals,
        warnings=(_KEPT_RULES,) if off and any(_by_eks(step) for step in steps) else (),
        afterwards=(
            *(f"by hand, if it is to be undone at all: {step.title}: {step.one_way}" for step in doors),
            *((_RECYCLING,) if off else ()),
        ),
        undoes=run,
    )


def _back(step: Step, undo: Undo, run: str) -> Step:
    """Return the step that takes *step* back, with the step itself, as far as it can be repeated, as its own undo."""
    again = step.id.removeprefix(_BACK) if step.id.startswith(_BACK) else f"{_BACK}{step.id}"
    return Step(
        id=again,
        title=undo.title,
        action=_of_run(undo.action, run),
        until=_true_of_run(undo.until, run),
        patience=step.patience,
        undo=Undo(step.title, _repeated(_of_run(step.action, run)), _true_again(_true_of_run(step.until, run))),
        disrupts=step.disrupts,
        phase=step.phase,
    )


def _back_to_the_old_engine(steps: tuple[Step, ...], *, off: bool) -> tuple[Step, ...]:
    """Return the *steps* that take a migration back in the order in which no policy hangs and nothing is open meanwhile.

    First the old engine is let back onto every node (phases 6 and later, the last one first). Only when it enforces everywhere
    again, the translated policies go, while the controller still lets go of them; then the controller, with what it leaves
    behind, while the agents still open the pods; then the agents.
    """
    engine = [step for step in steps if step.phase >= _EXIT]
    policies = [step for step in steps if step.phase.startswith(_APPLY)]
    switches = tuple(step for step in steps if step not in engine and step not in policies)
    return (*engine, *policies, *(_ordered(switches) if off else switches))


_APPLY, _EXIT = "4", "6"
"""Numbers of a migration's phases: what applies the translated policies, and from where on the old engine leaves nodes."""


def _ordered(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Return *steps*, which switch the controller off, with what it leaves behind.

    Where the switch is a step of its own it comes first, and all that the controller made goes while agents still work: then
    they open the pods themselves. EKS writes both switches in one update, and then this can only come after it.
    """
    switch = [step for step in steps if isinstance(step.action, Apply) and step.action.ref == SETTINGS]
    if not switch:
        return (*steps, *leavings())
    return (*switch, *leavings(), *(step for step in steps if step not in switch))


def _by_eks(step: Step) -> bool:
    return isinstance(step.action, UpdateAddon)


def _switches_controller_off(changes: tuple[FieldChange, ...]) -> bool:
    """Say whether *changes* switch the controller off: it takes anything but ``true`` for that."""
    switch = (str(SETTINGS), CONTROLLER_PATH)
    return any((c.where, c.path) == switch and c.before == "true" and c.after != "true" for c in changes)


def _facts(plan: Plan, run: str, mine: list[Step], steps: tuple[Step, ...]) -> tuple[str, ...]:
    if not mine:
        return (f"{run} changed nothing, so there is nothing to take back",)
    told = f"{run} touched {len(mine)} of its {len(plan.steps)} steps; {len(steps)} of them are taken back, the last one first"
    kept = [step.id for step in mine if step.undo is None and not step.one_way]
    return (told, f"these changed nothing that would have to be taken back: {', '.join(kept)}") if kept else (told,)


def _reversed(changes: tuple[FieldChange, ...], mine: list[Step]) -> tuple[FieldChange, ...]:
    """Return *changes* the other way round, those of them that a step of *mine* made."""
    where = {place for step in mine if step.undo is not None for place in _places(step.action)}
    return tuple(replace(change, before=change.after, after=change.before) for change in changes if change.where in where)


def _places(action: Action) -> tuple[str, ...]:
    """Return what *action* changes, as `FieldChange.where` says it; an add-on's objects are those that hold the switches."""
    match action:
        case UpdateAddon() | CreateAddon() | DeleteAddon():
            return f"add-on {action.addon}", str(AWS_NODE), str(SETTINGS)
        case Apply() | Create():
            return (str(action.ref),)
        case Delete() | StripFinalizer():
            return tuple(str(one.ref) for one in action.objects)
        case Evict() | Probe() | BackUp() | Restore() | Look():
            return ()
        case _:
            assert_never(action)


def _of_run(action: Action, run: str) -> Action:
    """Return *action* with the files of *run* meant where it means those of its own."""
    return replace(action, run=run) if isinstance(action, Restore) and not action.run else action


def _true_of_run(condition: Condition, run: str) -> Condition:
    if isinstance(condition, Restored):
        return condition if condition.run else replace(condition, run=run)
    if isinstance(condition, All):
        return All(tuple(_true_of_run(one, run) for one in condition.conditions))
    return condition


def _repeated(action: Action) -> Action:
    """Return *action* as it can be done once more: what was deleted and made anew has another uid."""
    match action:
        case Delete() | StripFinalizer():
            return replace(action, objects=_by_name(action.objects))
        case (
            UpdateAddon() | CreateAddon() | DeleteAddon() | Apply() | Create() | Evict() | Probe() | BackUp() | Restore() | Look()
        ):
            return action
        case _:
            assert_never(action)


def _true_again(condition: Condition) -> Condition:
    match condition:
        case Absent() | Unfinalized():
            return replace(condition, objects=_by_name(condition.objects))
        case All():
            return All(tuple(_true_again(one) for one in condition.conditions))
        case _:
            # All others speak of things by their names.
            return condition


def _by_name(objects: tuple[ObjectId, ...]) -> tuple[ObjectId, ...]:
    return tuple(ObjectId(one.ref) for one in objects)


def _rolls(condition: Condition) -> bool:
    return any(isinstance(one, RolledOut | AddonIs | Runs) for one in conditions(condition))
