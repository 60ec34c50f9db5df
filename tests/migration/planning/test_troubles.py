"""Trouble on the way: a run stops in a state that has a name, nothing is open or lost meanwhile, and then it goes on or back."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from eksnetpol.errors import EksNetpolError, Refused, RunOver, StepFailed
from eksnetpol.facts.declare import Lookup, catalog
from eksnetpol.migration.planning.leaving import LABEL
from eksnetpol.migration.planning.migrate import plan_migration
from eksnetpol.migration.planning.options import MigrateOptions
from eksnetpol.model.kinds import NODE, ObjectRef
from eksnetpol.model.plan import Plan
from tests.execution.ends import events
from tests.migration.planning.carrying import Run
from tests.migration.planning.lives import Life
from tests.migration.planning.troubles import ANY_TIME, CASES, TROUBLES, Trouble, left_alone, put_back
from tests.migration.towns import ENGINES

HOUR = 3600.0


@cache
def undisturbed(engine: str) -> Any:
    """What comes of a run without trouble."""
    life = Life(engine)
    life.go()
    return life.ending()


def stopped(life: Life, trouble: Trouble) -> str:
    """Let a run meet trouble, and return what it says of it."""
    life.go(until=trouble.after)
    trouble.begins(life)
    with pytest.raises(EksNetpolError) as error:
        life.go()
    assert type(error.value) is trouble.kind, error.value
    return str(error.value)


@pytest.mark.parametrize(("trouble", "engine"), CASES, ids=[f"{engine}-{trouble}" for trouble, engine in CASES])
def test_a_run_stops_in_a_state_that_has_a_name_and_then_gets_to_the_same_end(trouble: Trouble, engine: str) -> None:
    life = Life(engine)
    said = stopped(life, trouble)
    assert re.search(trouble.words, said), said
    assert "eksnetpol resume r1" in said
    at = life.disk.entries[-1]
    assert at.event in {"stopped", "failed"}
    assert at.detail in said, "whoever asks for its status later is told the same"
    life.cluster.sleep(HOUR)
    if not trouble.widens:
        assert life.violations == ()
    trouble.ends(life)
    life.cluster.sleep(60.0)
    assert life.lost() == []
    life.go()
    assert events(life.disk)[-1] == "closed"
    assert life.ending() == undisturbed(engine)
    if not trouble.widens:
        assert life.violations == ()


def test_every_trouble_of_the_list_is_met() -> None:
    assert {trouble.name for trouble in TROUBLES} >= {
        "new policy", "nodes that never get ready", "a budget that never allows", "webhook of nodes", "a wedged finalizer",
        "a lost API server", "Git keeps the agent",
    }  # fmt: skip


@pytest.mark.parametrize("engine", ["calico_by_manifest", "kube_router", "cilium"])
def test_nodes_to_which_the_old_agent_came_back_leave_it_once_more_by_a_new_plan(engine: str) -> None:
    """Its rules are in their kernels again, and when it has gone no look at the cluster shows that."""
    life = Life(engine)
    life.go(until="6")
    put_back()(life)
    with pytest.raises(Refused, match=r"affinity.*nodes that had left may have .*label node NODE eksnetpol.io/engine-;"):
        life.go()
    nodes = [node["metadata"]["name"] for node in life.cluster.objects(NODE)]
    left_alone(life)
    life.cluster.sleep(HOUR)
    with pytest.raises(Refused, match="cannot be gone on with, only a new plan can"):
        life.go()
    if engine == "cilium":
        return
    for name in nodes:
        ref = ObjectRef.to(NODE, name)
        life.cluster.patch(ref, [{"op": "remove", "path": "/metadata/labels/eksnetpol.io~1engine"}])
    life.cluster.sleep(120.0)
    anew = replan(life)
    assert {f"roll/{name}/clean" for name in nodes} <= {step.id for step in anew.steps}
    second = Run(life.there.snapshot, anew, on=life.cluster)
    second.go()
    assert second.standing() == {("absent", "live", True): len(nodes)}


@pytest.mark.parametrize("engine", ["calico_by_manifest", "kube_router"])
def test_an_old_agent_that_comes_back_between_two_batches_ends_the_run_before_the_next(engine: str) -> None:
    """Whoever brings it back need not touch what keeps it off: here the label of a node goes, and comes again."""
    life = Life(engine)
    path = "/metadata/labels/eksnetpol.io~1engine"

    def comes_back(_number: int, name: str) -> None:
        if name == "append" and events(life.disk)[-1] == "succeeded roll/batch-1/soak":
            ref = next(ObjectRef.of(n) for n in life.cluster.ground.objects(NODE) if LABEL in n["metadata"].get("labels", {}))
            ground = life.cluster.ground.of(NODE)
            ground.patch(ref, [{"op": "remove", "path": path}])
            life.cluster.sleep(60.0)
            ground.patch(ref, [{"op": "add", "path": path, "value": "vpc-cni"}])

    with pytest.raises(RunOver, match=r"runs again on .*, which had left it.*kubectl label node .* eksnetpol.io/engine-"):
        life.go(after=comes_back)
    life.cluster.sleep(HOUR)
    with pytest.raises(Refused, match="cannot be gone on with, only a new plan can"):
        life.go()
    assert life.violations == ()


def test_a_new_plan_writes_again_what_somebody_deleted() -> None:
    life = Life("calico_by_manifest")
    life.go(until="6")
    put_back(agent=False)(life)
    with pytest.raises(Refused, match="is not there any more"):
        life.go()
    anew = replan(life)
    assert [step.id for step in anew.steps if step.phase == "4 apply"]
    second = Run(life.there.snapshot, anew, on=life.cluster)
    second.go()
    assert second.end()[:3] == undisturbed("calico_by_manifest")["end"][:3]


def replan(life: Life) -> Plan:
    catalog()
    said = MigrateOptions(cleaner_image="example.com/cleaner:1", settle=0.0, soak=0.0)
    plan = plan_migration(Lookup(life.cluster.snapshot()), life.there.translation, said)
    assert plan.refusals == life.plan.refusals
    return plan


BACK = [case for case in CASES if case[0].name in {"new policy", "a lost API server", "webhook of nodes", "a wedged finalizer"}]


@pytest.mark.parametrize(("trouble", "engine"), [case for case in BACK if case[1] != "cilium"], ids=str)
def test_a_run_that_stopped_is_gone_back_on_to_where_it_began(trouble: Trouble, engine: str) -> None:
    life = Life(engine)
    wanted = Life(engine).end()
    stopped(life, trouble)
    trouble.ends(life)
    life.cluster.sleep(60.0)
    assert life.back().refusals == ()
    assert life.end() == wanted
    assert life.lost() == []


MOMENTS = st.tuples(st.sampled_from(sorted(ANY_TIME)), st.floats(0.0, 2400.0), st.floats(30.0, 7200.0))


def happens(life: Life, what: Callable[[Life], object]) -> Callable[[object], object]:
    return lambda _: what(life)


@settings(max_examples=24, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(st.sampled_from(ENGINES), st.lists(MOMENTS, min_size=1, max_size=3, unique_by=lambda one: one[0].split(" of ")[0]))
def test_whatever_goes_wrong_whenever_a_run_is_done_or_stops_and_says_why(
    engine: str, meant: list[tuple[str, float, float]]
) -> None:
    life = Life(engine)
    for name, start, lasts in meant:
        life.cluster.at(start, happens(life, ANY_TIME[name][0]))
        life.cluster.at(start + lasts, happens(life, ANY_TIME[name][1]))
    stops: list[StepFailed] = []
    while events(life.disk)[-1:] != ["closed"]:
        try:
            life.go()
        except StepFailed as stop:
            stops.append(stop)
            life.cluster.sleep(HOUR)
        assert life.violations == ()
        assert len(stops) < 8, stops[-1]
    said = [entry.detail for entry in life.disk.entries if entry.event in {"stopped", "failed"}]
    assert all("eksnetpol resume r1" in str(stop) for stop in stops)
    assert len(said) == len(stops)
    assert all(said), "it says what was seen"
    life.cluster.sleep(3 * HOUR)
    assert life.lost() == []
    assert life.ending() == undisturbed(engine)
