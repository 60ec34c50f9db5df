"""Where a migration stands, as people and machines read it, before, in the middle of and after it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace as changed
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from eksnetpol.execution.progress import past_of
from eksnetpol.facts.declare import Lookup, catalog
from eksnetpol.migration.planning import phases
from eksnetpol.migration.present import By, present
from eksnetpol.model.plan import Plan, Verb
from eksnetpol.model.runs import RunSummary, State
from eksnetpol.model.snapshot import ClusterSnapshot, Unread
from eksnetpol.reporting.move_status import MoveStatus, phases_of, render
from tests.migration.planning.carrying import Run
from tests.migration.planning.clusters import CLUSTERS, options, planned

Golden = Callable[[str, str], None]


def moved(name: str, until: str = "") -> tuple[Plan, ClusterSnapshot, frozenset[str]]:
    """Carry a plan out in memory up to the end of a phase; return it, the cluster then, and the steps that are done."""
    snapshot = CLUSTERS[name]()
    plan = planned(snapshot, options(soak=5.0, settle=30.0))
    run = Run(snapshot, plan)
    if until:
        run.go(until=until)
    else:
        run.go()
    past = past_of(run.disk.entries)
    return plan, run.cluster.snapshot(), frozenset(step.id for step in plan.steps if past.of(step.id).done)


def status(name: str, until: str = "", state: State = "stopped", door: str = "") -> MoveStatus:
    catalog()
    plan, after, done = moved(name, until)
    summary = RunSummary(
        id="20261127-090354-migrate-f0fd", verb=Verb.MIGRATE, target=plan.target, state=state,
        started_at=datetime(2026, 11, 27, 9, 3, 54, tzinfo=UTC), done=len(done), steps=len(plan.steps),
    )  # fmt: skip
    return MoveStatus(plan.target, present(Lookup(after)), summary, phases_of(plan, done), door)


def test_in_the_middle_both_engines_enforce_and_the_door_is_named(golden: Golden) -> None:
    found = status("calico-operator", phases.EXIT, door="uninstall")
    assert found.present.counts[By.NEW] == len(found.present.nodes)
    golden("migration/status.door.txt", render(found, "text", 100))
    assert found.ways[0].endswith("--confirm uninstall")


def test_before_nodes_leave_both_engines_are_on_each(golden: Golden) -> None:
    found = status("kube-router", phases.AGENT)
    assert found.present.counts[By.BOTH] == len(found.present.nodes)
    golden("migration/status.both.txt", render(found, "text", 100))


@pytest.mark.parametrize("name", CLUSTERS)
def test_afterwards_nobody_but_the_vpc_cni_is_left(name: str) -> None:
    found = status(name, state="finished")
    document = json.loads(render(found, "json", 80))
    assert (document["engine"], document["enforcing"], document["counts"]["nobody"]) == ("", True, 0)
    assert document["counts"][By.NEW] == len(document["nodes"]) > 0
    assert all(phase["done"] == phase["steps"] and phase["next"] == "" for phase in document["phases"])
    assert document["next"] == ["eksnetpol migrate verify --run 20261127-090354-migrate-f0fd"]


def test_a_node_with_pods_and_nobody_is_said_first() -> None:
    found = status("calico-operator")
    nobody = tuple(changed(node, by=By.NOBODY, pods=node.pods or 1) for node in found.present.nodes)
    text = render(changed(found, present=changed(found.present, nodes=nobody)), "text", 100)
    assert "neither engine's agent runs there" in text.splitlines()[1]


def test_agents_that_are_off_police_nothing() -> None:
    catalog()
    before = present(Lookup(CLUSTERS["calico-operator"]()))
    assert before.enforcing is False
    assert before.counts == {By.OLD: 3, By.BOTH: 0, By.NEW: 0, By.NOBODY: 0}


def test_pods_that_could_not_be_read_are_no_answer() -> None:
    catalog()
    snapshot = replace(CLUSTERS["calico-operator"](), pods=Unread("pods is forbidden"))
    with pytest.raises(Exception, match="pods is forbidden"):
        present(Lookup(snapshot))
