"""Plans to leave an engine: what people review, to the letter, and what is true of every one."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from eksnetpol.engines.parts import SHARED_GROUPS
from eksnetpol.migration.planning.options import Exit, LeftOver
from eksnetpol.migration.planning.phases import PHASES
from eksnetpol.model.actions import Apply, BackUp, Create, Delete, Evict, Look, Restore
from eksnetpol.model.conditions import Absent, All, Condition, Covered, Holds, NoneLeft, Runs, Soaked, Unchanged
from eksnetpol.model.kinds import DEFINITION, NETWORK_POLICY
from eksnetpol.model.plan import Plan, Step, Verb
from tests.migration.planning import clusters
from tests.migration.planning.clusters import CLUSTERS, options, planned

Golden = Callable[[str, str], None]
EVERYTHING = tuple(LeftOver)


def told(plan: Plan) -> str:
    """A plan as people read it: its steps by phase, what each does and waits for, the way back, and what is said of it."""
    lines = [f"# {plan.title}"]
    for phase, steps in itertools.groupby(plan.steps, key=lambda step: step.phase):
        lines += ["", f"## {phase}"]
        for step in steps:
            lines.append(f"{step.id}{f' [door {step.door}]' if step.door else ''}")
            lines.append(f"  {step.title}")
            lines.append(f"  does {doing(step.action)}")
            lines.append(f"  until {waiting(step.until)} (within {step.patience:g} s)")
            if step.undo is not None:
                lines.append(f"  back {step.undo.title}: {doing(step.undo.action)}, until {waiting(step.undo.until)}")
            if step.one_way:
                lines.append(f"  one way: {step.one_way}")
            if step.disrupts:
                lines.append(f"  disrupts: {step.disrupts}")
    for name in ("facts", "warnings", "afterwards"):
        lines += ["", f"## {name}", *getattr(plan, name)]
    lines += ["", "## refusals", *(f"{r.why} [{r.flag or 'never'}]" for r in plan.refusals)]
    return "\n".join(lines) + "\n"


def doing(action: Any) -> str:  # noqa: PLR0911 - one case an action
    match action:
        case Apply():
            drops = f" without {', '.join(action.drops)}" if action.drops else ""
            return f"apply {action.ref}{drops}"
        case Create():
            return f"create {action.ref}"
        case Delete():
            return f"delete {', '.join([*(str(o.ref) for o in action.objects), *action.kinds]) or 'nothing'}"
        case BackUp():
            return f"back up {', '.join([*(str(o.ref) for o in action.objects), *action.kinds])} into {action.file}"
        case Evict():
            return f"evict pods of {action.node}"
        case Restore():
            return f"restore {action.file}"
        case Look():
            return "nothing"
        case _:
            return type(action).__name__


def waiting(condition: Condition) -> str:  # noqa: PLR0911 - one case a condition
    match condition:
        case All():
            return " and ".join(waiting(one) for one in condition.conditions) or "nothing"
        case Holds():
            without = f" without {', '.join(condition.without)}" if condition.without else ""
            return f"{condition.ref} holds{without}"
        case Runs():
            where = ", ".join((*condition.nodes, condition.label)).strip(", ") or "all nodes"
            return f"{condition.ref.name} {'gone from' if condition.gone else 'runs on'} {where}"
        case Absent():
            return f"{len(condition.objects)} objects absent"
        case NoneLeft():
            return f"none left of {len(condition.kinds)} kinds"
        case Unchanged():
            return "policies unchanged"
        case Soaked():
            return f"{condition.seconds:g} s"
        case _:
            return type(condition).__name__


@pytest.mark.parametrize("name", CLUSTERS)
def test_plans_stay_as_they_were_reviewed(name: str, golden: Golden) -> None:
    golden(f"migration/plans/{name}.txt", told(planned(CLUSTERS[name](), options(left_overs=EVERYTHING))))


def conditions(condition: Condition) -> list[Condition]:
    if isinstance(condition, All):
        return [inner for one in condition.conditions for inner in conditions(one)]
    return [condition]


VARIANTS: dict[str, dict[str, Any]] = {
    "calico-operator": {}, "calico-manifest": {}, "kube-router": {}, "cilium": {},
    "calico-operator by replacement": {"exit": Exit.REPLACEMENT}, "calico-manifest by one": {"batch": "1", "canary": 0},
    "kube-router by its own": {"cleaner_image": ""},
}  # fmt: skip


@pytest.fixture(params=VARIANTS, scope="module")
def plan(request: pytest.FixtureRequest) -> Plan:
    said = {"left_overs": EVERYTHING, **VARIANTS[request.param]}
    return planned(CLUSTERS[request.param.partition(" ")[0]](), options(**said))


def test_a_plan_is_the_same_after_a_file(plan: Plan) -> None:
    assert plan.verb is Verb.MIGRATE
    assert msgspec.json.decode(msgspec.json.encode(plan), type=Plan) == plan


def test_steps_are_told_apart_and_go_from_phase_to_phase(plan: Plan) -> None:
    assert len({step.id for step in plan.steps}) == len(plan.steps)
    order = [PHASES.index(step.phase) for step in plan.steps]
    assert order == sorted(order)
    assert plan.refusals == ()


def test_what_changes_something_has_a_way_back_or_says_that_there_is_none(plan: Plan) -> None:
    for step in plan.steps:
        if not isinstance(step.action, Look | BackUp):
            assert step.undo is not None or step.one_way, step.id
        if step.door:
            assert step.one_way, f"{step.id} says why it is a door"
    doors = {step.phase: step.door for step in plan.steps if step.door}
    assert set(doors) <= {"7 uninstall", "8 left-overs"}
    for step in plan.steps:
        if step.phase in doors and not isinstance(step.action, Look):
            assert step.door == doors[step.phase], f"{step.id} is behind the door of its phase"


def test_what_is_deleted_is_kept_before_and_never_what_others_share(plan: Plan) -> None:
    files = {step.action.file for step in plan.steps if isinstance(step.action, BackUp)}
    for step in plan.steps:
        if isinstance(step.action, Delete):
            for one in step.action.objects:
                assert one.ref.kind != NETWORK_POLICY.name or "projectcalico.org" in one.ref.api_version, step.id
                if one.ref.kind == DEFINITION.name:
                    assert one.ref.name.partition(".")[2] not in SHARED_GROUPS, step.id
            assert not set(step.action.kinds) & {str(NETWORK_POLICY), "policyendpoints.networking.k8s.aws"}
        if step.undo is not None and isinstance(step.undo.action, Restore):
            assert step.undo.action.file in files, step.id


def test_policies_are_looked_at_before_every_batch_and_before_the_end(plan: Plan) -> None:
    looked = {step.id for step in plan.steps if any(isinstance(c, Unchanged) for c in conditions(step.until))}
    batches = {step.id.split("/")[1] for step in plan.steps if step.id.startswith("roll/batch-")}
    last = {"left-overs/gate"} if any(step.door == "left-overs" for step in plan.steps) else set()
    assert {"gate", "translated", "uninstall/gate", *last, *(f"roll/{batch}/gate" for batch in batches)} == looked
    assert len(batches) == len({step.id for step in plan.steps if any(isinstance(c, Soaked) for c in conditions(step.until))}) - 1


def place(plan: Plan, fits: Callable[[Step], bool]) -> list[int]:
    return [number for number, step in enumerate(plan.steps) if fits(step)]


def test_the_controller_is_waited_for_before_any_node_leaves_and_the_end_waits_for_all(plan: Plan) -> None:
    covered = place(plan, lambda s: any(isinstance(c, Covered) for c in conditions(s.until)))
    leaves = place(plan, lambda s: s.id.endswith(("/label", "/evict")))
    uninstalls = place(plan, lambda s: s.door == "uninstall")
    gone = place(plan, lambda s: s.id == "uninstall/gate")
    applies = place(plan, lambda s: s.phase == "4 apply")
    assert min(covered) < min(leaves)
    assert max(leaves) < min(gone) < min(uninstalls)
    assert not applies or max(applies) < min(covered)
    assert max(place(plan, lambda s: s.phase == "1 back-up")) < min([*applies, *covered])


def test_a_node_in_place_is_cordoned_before_its_rules_stand_still_and_until_they_are_out(plan: Plan) -> None:
    ids = [step.id for step in plan.steps]
    for label in (i for i in ids if i.endswith("/label")):
        node = label.removesuffix("/label")
        batch = next(i.rpartition("/")[0] for i in ids[ids.index(label) :] if i.endswith("/proved"))
        order = [f"{batch}/enforced", f"{node}/cordon", label, f"{batch}/agents-gone", f"{node}/clean", f"{node}/cleaned",
                 f"{batch}/proved", f"{node}/uncordon"]  # fmt: skip
        assert [ids.index(one) for one in order] == sorted(ids.index(one) for one in order)


def test_an_ebpf_engine_is_kept_off_before_any_agent_may_come() -> None:
    ids = [step.id for step in planned(clusters.cilium()).steps]
    assert ids.index("exclude") < ids.index("enable/by-node") < ids.index("enable/agent")
    assert "enable/roll-out" not in ids, "aws-node of old nodes stays as it is"
    assert not [i for i in ids if i.endswith(("/label", "/clean"))]
    assert ids.index("close/rolls") > ids.index("uninstall/release")
