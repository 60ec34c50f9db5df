"""Broken plans are caught: each invariant on the real plan of each engine that can break it, and every node that is left open.

All ways to break them, some 560, are carried out by ``python -m tests.migration.planning.mutations``; here some, others from day
to day.
"""

from __future__ import annotations

from functools import cache

import pytest
from msgspec.structs import replace

from eksnetpol.model.actions import Apply
from eksnetpol.model.plan import Plan
from eksnetpol.operations.rehearsal import of_journal
from eksnetpol.planning.places import AWS_NODE
from tests.migration.planning.carrying import Run
from tests.migration.planning.clusters import CLUSTERS, planned
from tests.migration.planning.lives import planned as plan_for
from tests.migration.planning.mutations import carried_out, mutations
from tests.migration.planning.test_deaths import TODAY
from tests.migration.towns import ENGINES

STRIDE = 12


@cache
def ways(engine: str) -> dict[str, Plan]:
    """Every way to break the plan of an engine."""
    return dict(mutations(plan_for(engine)))


CAUGHT = [
    *((engine, "roll/node-a/clean first", "I1") for engine in ENGINES if engine != "cilium"),
    ("cilium", "without enable/agent", "I1"),
    ("kube_router", "without enable/controller-switch", "I1"),
    ("cilium", "without exclude", "I2"),
    ("cilium", "without enable/by-node", "I2"),
    *((engine, next(how for how in ways(engine) if how.startswith("without apply/")), "I3") for engine in ENGINES
      if engine != "kube_router"),
    *((engine, "left-overs/policies first", "I4") for engine in ENGINES if engine != "kube_router"),
    *((engine, "phase 8 left-overs before 7 uninstall", "I4") for engine in ENGINES if engine != "kube_router"),
    *((engine, "no way back from enable/agent", "I5") for engine in ENGINES),
    ("calico_by_operator", "uninstall/operator first", "I6"),
    ("calico_by_manifest", "uninstall/control first", "I6"),
    *((engine, "without covered", "I8") for engine in ENGINES),
    *((engine, "phase 6 exit before 5b agent", "I8") for engine in ENGINES),
]  # fmt: skip


@pytest.mark.parametrize(("engine", "how", "invariant"), CAUGHT)
def test_each_invariant_is_seen_to_be_broken(engine: str, how: str, invariant: str) -> None:
    assert invariant in carried_out(engine, how, ways(engine)[how]).invariants


@pytest.mark.parametrize("name", [name for name in CLUSTERS if name != "cilium"])
def test_who_writes_past_the_managed_add_on_is_caught(name: str) -> None:
    snapshot = CLUSTERS[name]()
    plan = planned(snapshot)
    (waits,) = (step for step in plan.steps if step.id == "enable/agent")
    (ours,) = (step for step in plan_for("kube_router").steps if step.id == "enable/agent")
    assert isinstance(ours.action, Apply)
    assert ours.action.ref == AWS_NODE
    swapped = replace(plan, steps=tuple(ours if step is waits else step for step in plan.steps))
    for mine, caught in ((plan, set()), (swapped, {("I7", "enable/agent")})):
        journal = Run(snapshot, mine).go(until="4 apply").journal
        assert {(v.invariant.value, v.step) for v in of_journal(mine, journal, snapshot)} == caught


@pytest.mark.parametrize("engine", ENGINES)
def test_no_node_is_left_open_unseen(engine: str) -> None:
    some = [how for number, how in enumerate(ways(engine)) if number % STRIDE == TODAY % STRIDE]
    assert len(some) > 5
    for how in some:
        found = carried_out(engine, how, ways(engine)[how])
        assert not found.open or "I1" in found.invariants, f"{how}: {found.open}"
