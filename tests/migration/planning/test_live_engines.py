"""Whole migrations by commands on real clusters, off Calico by operator, Cilium and kube-router, killed on the way.

The journal is that of the same plan carried out in memory, and after every write the invariants I1 to I8 hold.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from eksnetpol.gateways.run_folder import RunFolder
from eksnetpol.gateways.runs import Runs
from eksnetpol.gateways.session import TargetOptions
from eksnetpol.interfaces.acting import Entry
from eksnetpol.migration.invariants import Invariant
from eksnetpol.migration.planning.leaving import LABEL
from eksnetpol.migration.watching import Watch
from eksnetpol.model.actions import Delete, Look
from eksnetpol.model.kinds import ObjectRef
from eksnetpol.model.plan import Plan
from eksnetpol.model.snapshot import ClusterSnapshot
from eksnetpol.operations.moving import prepare_migration
from eksnetpol.operations.rehearsal import EBPF, of_journal, watch_over
from eksnetpol.policy.profile import Profile
from tests.fields.server import Server
from tests.migration.planning.carrying import Run
from tests.migration.planning.clusters import IMAGE, options
from tests.migration.planning.live_clusters import ENGINES_LIVE, Engine, Readers, leaving
from tests.migration.planning.live_scenes import Mirror, replayed
from tests.migration.planning.test_live import look
from tests.migration.planning.test_live_commands import killed_at
from tests.testbed.actors.feed import Event
from tests.testbed.aws import REGION, Aws
from tests.testbed.build import Components

pytestmark = pytest.mark.testbed

HOW = ("--cleaner-image", IMAGE, "--batch", "100%", "--canary", "1", "--soak", "1s", "--settle", "1s")
UNTOLD = frozenset({"ClusterRole", "ClusterRoleBinding", "ConfigMap", "Role", "RoleBinding", "ServiceAccount"})
"""Kinds of which a look keeps no more objects than it asks about: those of engines are not among them."""
DEFINITE = frozenset({"started", "acted", "succeeded", "failed"})
"""What a journal says of steps; all else is of processes and people."""


@pytest.mark.parametrize("engine", ENGINES_LIVE, ids=lambda engine: engine.name)
def test_a_real_cluster_leaves_it_as_in_memory(
    engine: Engine, full_programs: Components, moto: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del full_programs
    state = {"XDG_STATE_HOME": str(tmp_path / "state"), "CI": "1", "COLUMNS": "120"}
    with leaving(engine, tmp_path, moto) as (world, stage):
        for name, text in world.aws.settings(world.endpoint.url, world.reader).items():
            monkeypatch.setenv(name, text)
        stage.add(Readers(stage, tmp_path / "state"))
        here = ("--cluster", world.scenario.cluster, "--region", REGION)

        def tool(*args: str) -> CompletedProcess[str]:
            return world.run(*args, *here, keys=None, **state)

        too = [word for what in engine.goes_too for word in ("--left-overs", what)]
        snapshot = look(TargetOptions(cluster=world.scenario.cluster, region=REGION))
        asked = Server(world.plane)
        untold = [one for ref in deleted(snapshot) if ref.kind in UNTOLD and (one := asked.get(ref)) is not None]
        asked.close()
        killed_at(world, state, engine.dies_at, "migrate", "run", "--yes", *HOW, *too)
        found = tool("resume")
        runs = Runs(tmp_path / "state" / "eksnetpol" / "runs")
        folder = runs.find(runs.all()[0].id)
        plan = folder.plan()
        for door in dict.fromkeys(step.door for step in plan.steps if step.door):
            assert (found.returncode, f"--confirm {door}" in found.stderr) == (5, True), found.stderr
            found = tool("resume", "--confirm", door)
        assert found.returncode == 0, found.stderr
        assert world.plane.get("pods", "-n", engine.space, "-l", engine.agent)["items"] == []

        verified = tool("migrate", "verify", "--run", folder.run, "-o", "json")
        results = [r for r in json.loads(verified.stdout)["results"] if r["outcome"] not in {"passed", "not-applicable"}]
        assert [r for r in results if r["family"] == "migration"] == [], verified.stdout
        events = list(stage.ground.log)
        if engine.comes_back:
            back = tool("rollback", "--yes")
            assert back.returncode == 0, back.stderr
            pods = world.plane.get("pods", "-n", engine.space, "-l", engine.agent)["items"]
            nodes = world.plane.get("nodes")["items"]
            assert {pod["spec"]["nodeName"] for pod in pods} == {node["metadata"]["name"] for node in nodes}
            assert not any(LABEL in node["metadata"]["labels"] or "unschedulable" in node["spec"] for node in nodes)
            assert world.plane.get("policyendpoints", "-A")["items"] == []
    rehearsed = Run(snapshot, plan)
    for one in untold:
        rehearsed.cluster.ground.put(one)
    rehearsed.go()
    assert done(folder.entries(), plan) == done(rehearsed.disk.entries, plan)
    watch = watched(snapshot, plan, events, folder)
    assert watch.violations == []
    assert of_journal(plan, folder, snapshot) == ()
    assert watch.looks > len(plan.steps)
    assert watch.census.new == watch.census.nodes

    # Had the VPC CNI's agent not come up on the nodes that the old one left, that would have been seen.
    unpoliced = [event for event in events if not (event.ref.kind == "Pod" and event.ref.name.startswith("aws-node-"))]
    broken = watched(snapshot, plan, unpoliced, folder).violations
    assert Invariant.ENFORCED in {violation.invariant for violation in broken}


def deleted(snapshot: ClusterSnapshot) -> list[ObjectRef]:
    """Return all objects that the plan deletes, as far as they are there."""
    steps = prepare_migration(snapshot, options()).plan.steps
    return [one.ref for step in steps if isinstance(step.action, Delete) for one in step.action.objects]


def done(entries: Iterable[Entry], plan: Plan) -> list[str]:
    """What was done in which order. Whether a look, or who waits for a Job that is there, had to wait is a matter of time; and
    what a killed process was about is begun once more.
    """
    waits = {step.id for step in plan.steps if isinstance(step.action, Look) or step.id.endswith("/cleaned")}
    said = (entry for entry in entries if entry.event in DEFINITE)
    return list(dict.fromkeys(f"{e.event} {e.step}" for e in said if e.step not in waits or e.event == "succeeded"))


def watched(snapshot: ClusterSnapshot, plan: Plan, events: list[Event], folder: RunFolder) -> Watch:
    move = prepare_migration(snapshot, options())
    assert move.source is not None
    mirror = Mirror(snapshot)
    ebpf = move.source.dialect in EBPF
    watch = watch_over(plan, mirror, move.source, move.brought, profile=Profile(family="ipv4"), ebpf=ebpf)
    replayed(mirror, watch, events, folder.entries())
    return watch
