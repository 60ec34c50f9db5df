"""Between a death and the next process somebody changes what the journal says was done: then a run does not go on (I8)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from eksnetpol.errors import Refused, StepFailed
from eksnetpol.model.actions import Apply, Delete
from eksnetpol.model.conditions import Absent, All, BackedUp, Holds
from eksnetpol.model.kinds import CONFIGMAP, DAEMONSET, JOB, NETWORK_POLICY, NODE, ObjectRef
from eksnetpol.model.plan import Step
from tests.execution.ends import events
from tests.execution.trouble import CHANGES, Killed
from tests.migration.planning.lives import Life, contents, planned
from tests.migration.towns import ENGINES

IN_PLACE = ("calico_by_operator", "calico_by_manifest", "kube_router")
NODES = ObjectRef.to(NODE, "node-a")
AWS_NODE = ObjectRef.to(DAEMONSET, "aws-node", "kube-system")
SWITCH = ObjectRef.to(CONFIGMAP, "amazon-vpc-cni", "kube-system")


def died_after(engine: str, step: str, number: int = 0) -> Life:
    """A life that ended when the *number*-th step whose id ends in *step* was done."""
    life = Life(engine)
    ids = [one.id for one in planned(engine).steps if one.id.endswith(step)]

    def dies(_number: int, name: str) -> None:
        if name == "append" and events(life.disk)[-1] == f"succeeded {ids[number]}":
            raise Killed

    with pytest.raises(Killed):
        life.go(after=dies)
    return life


def stops(life: Life, *words: str) -> None:
    """Going on stops before it changes anything, with exit code 6 and what was found."""
    before, lines = contents(life.cluster), len(life.disk.entries)
    changed: list[str] = []

    def heard(_number: int, name: str) -> None:
        if name in CHANGES - {"replace", "create"}:
            changed.append(name)

    with pytest.raises(Refused) as stop:
        life.go(before=heard)
    assert stop.value.exit_code == 6
    for one in (*words, "eksnetpol resume r1", "eksnetpol rollback r1"):
        assert one in str(stop.value), str(stop.value)
    assert changed == []
    assert contents(life.cluster) == before
    assert events(life.disk)[lines:] == ["resumed", "stopped"]


def written(engine: str) -> list[Step]:
    """The steps that apply something, one of each kind of object and fields."""
    found: dict[tuple[str, str], Step] = {}
    for step in planned(engine).steps:
        if isinstance(step.action, Apply):
            found.setdefault((step.action.ref.kind, step.id.rpartition("/")[2]), step)
    return list(found.values())


WRITTEN = [(engine, step.id) for engine in ENGINES for step in written(engine)]


@pytest.mark.parametrize(("engine", "name"), WRITTEN)
def test_fields_that_were_written_are_written_over(engine: str, name: str) -> None:
    life = died_after(engine, name)
    step = next(one for one in life.plan.steps if one.id == name)
    ref, wanted = undone(life, step)
    stops(life, str(ref), f"the journal says that {step.id} is done")
    wanted()
    if name == "enable/by-node" or name.endswith("/cordon"):
        # Whoever put that back has it now, and the run would not take it from them.
        return
    # What somebody else did may have been seen by the watch; going on adds nothing to it.
    seen = life.violations
    life.go()
    assert events(life.disk)[-1] == "closed"
    assert life.violations == seen


def undone(life: Life, step: Step) -> tuple[ObjectRef, Callable[[], object]]:
    """Take back what a step wrote, in the name of somebody else, and return what puts it back."""
    assert isinstance(step.action, Apply)
    ref = step.action.ref
    ground = life.cluster.ground
    live: Any = ground.get(ref)
    conditions = step.until.conditions if isinstance(step.until, All) else (step.until,)
    (holds,) = (one for one in conditions if isinstance(one, Holds) and one.ref == ref)
    before = spoilt(live, holds)
    ground.of(ref.of_kind).replace(before)

    def back() -> None:
        now: Any = ground.get(ref)
        version = now["metadata"]["resourceVersion"]
        ground.of(ref.of_kind).replace({**live, "metadata": {**live["metadata"], "resourceVersion": version}})

    return ref, back


def spoilt(live: Any, holds: Holds) -> Any:
    """Return an object with one of the fields that were written, or were taken away, as it was not to be."""
    if holds.object.get("data"):
        return {**live, "data": {**live["data"], **dict.fromkeys(holds.object["data"], "false")}}
    spec, labels = dict(live.get("spec", {})), dict(live["metadata"].get("labels", {}))
    wanted = holds.object.get("spec", {})
    if ".spec.unschedulable" in holds.without:
        spec["unschedulable"] = True
    elif "unschedulable" in wanted:
        spec.pop("unschedulable")
    elif live["kind"] == "Node":
        labels.pop("eksnetpol.io/engine")
    elif "updateStrategy" in wanted:
        spec["updateStrategy"] = {"type": "Other"}
    elif live["kind"] == "NetworkPolicy":
        spec["ingress"] = [{}]
    elif live["kind"] == "Installation":
        spec.pop("calicoNodeDaemonSet")
    else:
        spec["template"] = emptied(spec["template"], wanted["template"])
    return {**live, "spec": spec, "metadata": {**live["metadata"], "labels": labels}}


def emptied(template: Any, wanted: Any) -> Any:
    """Return a template without the affinity, or without the arguments, that were written into it."""
    inside = dict(template["spec"])
    if "affinity" in wanted["spec"]:
        inside.pop("affinity")
    names = {one["name"] for one in wanted["spec"].get("containers", ())}
    inside["containers"] = [{**one, "args": []} if one["name"] in names else one for one in inside["containers"]]
    return {**template, "spec": inside}


@pytest.mark.parametrize("engine", ["calico_by_operator", "calico_by_manifest", "cilium"])
@pytest.mark.parametrize("after", ["covered", "batch-1/soak", "uninstall/settle", "close/verify"])
def test_a_translated_policy_is_deleted(engine: str, after: str) -> None:
    life = died_after(engine, after)
    ref = next(one.action.ref for one in life.plan.steps if one.id.startswith("apply/") and isinstance(one.action, Apply))
    life.cluster.delete(ref)
    life.cluster.sleep(30.0)
    stops(life, f"{ref}: it is not there any more")


@pytest.mark.parametrize("engine", ["calico_by_operator", "calico_by_manifest", "cilium"])
def test_a_translated_policy_that_is_deleted_on_the_way_stops_the_run_at_the_next_gate(engine: str) -> None:
    life = Life(engine)
    ref = next(one.action.ref for one in life.plan.steps if one.id.startswith("apply/") and isinstance(one.action, Apply))

    def deletes(_number: int, name: str) -> None:
        if name == "append" and events(life.disk)[-1] == "succeeded roll/batch-1/soak":
            life.cluster.ground.delete(ref)
            life.cluster.sleep(30.0)

    with pytest.raises(StepFailed, match=f"roll/batch-2/gate .* failed: {ref}: it is not there any more, and the journal says"):
        life.go(after=deletes)
    assert life.standing()["live", "absent", True] + life.standing()["live", "live", True] == 2


@pytest.mark.parametrize("engine", ENGINES)
def test_what_a_run_is_to_be_taken_back_by_is_gone_or_was_changed(engine: str) -> None:
    files = {c.file for s in planned(engine).steps for c in (s.until,) if isinstance(c, BackedUp)}
    assert len(files) > 2
    for name in files:
        life = died_after(engine, "translated")
        whole = life.disk.files.pop(("r1", name))
        stops(life, f"the run has no back-up {name}")
        life.disk.files["r1", name] = whole.replace(b"aws", b"sha").replace(b"shop", b"spot").replace(b"cilium", b"lithium")
        if life.disk.files["r1", name] != whole:
            stops(life, f"the journal says that back-up/{name.removesuffix('.json')} is done")


@pytest.mark.parametrize("engine", ENGINES)
def test_what_was_deleted_is_there_again(engine: str) -> None:
    steps = [s for s in planned(engine).steps if isinstance(s.action, Delete) and isinstance(s.until, Absent)]
    tried = 0
    for step in steps:
        life = died_after(engine, step.id)
        kept = next((one.ref for one in step.until.objects if one.ref in life.at_first), None)  # type: ignore[union-attr]
        if kept is None or not life.cluster.ground.serves(kept.of_kind):
            continue
        made = {"apiVersion": kept.api_version, "kind": kept.kind, "metadata": {"name": kept.name}, "spec": {}}
        if kept.namespace:
            made["metadata"] |= {"namespace": kept.namespace}  # type: ignore[operator]
        life.cluster.ground.of(kept.of_kind).create(made)
        stops(life, f"{kept} is there again", step.id)
        tried += 1
    assert tried >= (1 if engine.startswith("calico") else 0)


@pytest.mark.parametrize("engine", IN_PLACE)
def test_jobs_that_have_completed_may_go(engine: str) -> None:
    life = died_after(engine, "batch-1/soak")
    (job,) = life.cluster.objects(JOB)
    life.cluster.delete(ObjectRef.to(JOB, job["metadata"]["name"], "kube-system"))
    life.go()
    assert life.violations == ()


@pytest.mark.parametrize("engine", ENGINES)
def test_the_journal_of_another_plan(engine: str) -> None:
    life = died_after(engine, "covered")
    life.plan = replace(life.plan, steps=life.plan.steps[:-1])
    with pytest.raises(Refused, match=r"the journal of run r1 belongs to plan \w+, and this is plan \w+"):
        life.go()
    assert not life.cluster.objects(JOB)


def test_policies_of_others_do_not_matter() -> None:
    life = died_after("calico_by_operator", "covered")
    (policy,) = [one for one in life.cluster.objects(NETWORK_POLICY) if one["metadata"]["name"].startswith("db-")]
    note = {**policy["metadata"], "annotations": {**policy["metadata"]["annotations"], "example.com/note": "read"}}
    life.cluster.ground.of(NETWORK_POLICY).replace({**policy, "metadata": note})
    life.go()
    assert life.violations == ()
