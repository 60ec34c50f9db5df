"""Probes among the steps of a migration, carried out in memory: what they see, what stops a run, what is left behind."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from eksnetpol.assets.probes import PROBES
from eksnetpol.errors import StepFailed
from eksnetpol.facts.declare import Lookup, catalog
from eksnetpol.migration.planning.migrate import plan_migration
from eksnetpol.migration.planning.options import Exit, LeftOver, MigrateOptions
from eksnetpol.migration.probing.answering import Answers
from eksnetpol.migration.probing.results import ProbeFile
from eksnetpol.model.actions import Probe
from eksnetpol.model.kinds import DISRUPTION_BUDGET, JOB, POD, SERVICE, Json, ObjectRef
from eksnetpol.model.kubernetes import DisruptionBudget
from eksnetpol.model.plan import Plan
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.model.snapshot import Seen
from eksnetpol.operations.migration import source_of, translated
from eksnetpol.operations.moving import connections
from eksnetpol.operations.rehearsal import UNTRIED, rehearse_migration
from eksnetpol.reporting import runbook
from eksnetpol.simulation.world import SimulatedCluster
from tests.execution.ends import events
from tests.execution.test_interruptions import dies_at
from tests.execution.trouble import Disk, Killed
from tests.migration.planning.carrying import Run
from tests.migration.planning.lives import PROFILE
from tests.migration.towns import Town, town

ENGINES = ("calico_by_operator", "calico_by_manifest", "cilium")


def options(**said: Any) -> MigrateOptions:
    wanted = {"cleaner_image": "c", "probe_image": "p", "batch": "50%", "soak": 5.0, "settle": 30.0}
    return MigrateOptions(**{**wanted, "left_overs": tuple(LeftOver), **said})


def planned(there: Town, **said: Any) -> Plan:
    catalog()
    facts, wanted = Lookup(there.snapshot), options(**said)
    return plan_migration(facts, there.translation, wanted, connections(there.source, there.translation, wanted, facts))


@dataclass
class Played:
    """Says of every try what is expected, but for what *instead* says of its line; the Jobs that ran are kept."""

    instead: Callable[[Json, list[str]], str | None] = lambda _job, _line: None
    jobs: list[str] = field(default_factory=list)

    def __call__(self, job: Json, node: str) -> str:
        """Return what the pod of *job* leaves behind."""
        assert node
        self.jobs.append(f"{job['metadata']['namespace']}/{job['metadata']['name']}")
        lines = [line.split() for line in job["spec"]["template"]["spec"]["containers"][0].get("args", ())]
        return "\n".join(f"{line[0]}={self._result(job, line)}" for line in lines if len(line) == 4)

    def _result(self, job: Json, line: list[str]) -> str:
        return self.instead(job, line) or ("open" if line[3] == "open" else "silent")


def run_of(there: Town, plan: Plan, played: Played | None = None) -> Run:
    def prepare(cluster: SimulatedCluster) -> None:
        cluster.life.jobs.says = lambda job, node: (played or Played())(job, node) if is_probe(job) else ""

    return Run(there.snapshot, plan, prepare=prepare)


def is_probe(job: Json) -> bool:
    return PROBES in job["metadata"].get("labels", {})


def probes(run: Run) -> list[str]:
    return [job["metadata"]["name"] for job in run.cluster.objects(JOB) if is_probe(job)]


def pods(run: Run) -> list[str]:
    return [pod["metadata"]["name"] for pod in run.cluster.objects(POD) if PROBES in pod["metadata"].get("labels", {})]


# --- rehearsed --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
def test_a_rehearsal_tries_what_flows_at_every_gate(engine: str) -> None:
    there = town(engine)
    plan = planned(there)
    done = rehearse_migration(plan, there.snapshot, there.source, there.brought, profile=PROFILE, ebpf=there.ebpf)
    assert (done.error, done.violations) == ("", ())
    tried = [(beat.phase, beat.step) for beat in done.beats if beat.step.endswith("/probe")]
    assert tried == [
        ("3 baseline", "baseline/probe"), ("6 exit", "roll/batch-1/probe"), ("6 exit", "roll/batch-2/probe"),
        ("9 close", "close/probe"),
    ]  # fmt: skip
    assert {beat.ending for beat in done.beats if beat.step.endswith("/probe")} == {"done"}


def test_a_flow_that_is_broken_is_seen_by_probes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its translated policies the VPC CNI lets everything through: the model of what flows says so, and probes see it."""
    there = town("calico_by_manifest")
    plan = planned(there)
    broken = replace(plan, steps=tuple(step for step in plan.steps if step.phase != "4 apply"))
    done = rehearse_migration(broken, there.snapshot, there.source, there.brought, profile=PROFILE)
    assert "roll/batch-1/probe" in done.error
    assert "connections get through that policies deny: shop/StatefulSet/db to shop/StatefulSet/db" in done.error
    monkeypatch.setattr(Answers, "_result", lambda *_: "silent")
    done = rehearse_migration(plan, there.snapshot, there.source, there.brought, profile=PROFILE)
    assert "baseline/probe" in done.error
    assert "connections fail that policies allow, 1 where 0 may (--abort-after)" in done.error


def test_plans_without_probes_are_as_they_were() -> None:
    there = town("calico_by_operator")
    plain = planned(there, probe_image="")
    assert plain == there.plan(cleaner_image="c", batch="50%", soak=5.0, settle=30.0)
    assert not [step for step in plain.steps if "probe" in step.id or step.phase == "3 baseline"]


# --- carried out ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("exit_", [Exit.IN_PLACE, Exit.REPLACEMENT])
def test_probes_leave_nothing_behind(exit_: Exit) -> None:
    there, played = town("calico_by_operator"), Played()
    plan = planned(there, exit=exit_)
    run = run_of(there, plan, played)
    run.go()
    assert events(run.disk)[-1] == "closed"
    gates = [step for step in plan.steps if isinstance(step.action, Probe)]
    assert len(gates) == 4
    assert sorted(played.jobs) == sorted(
        f"{ref.namespace}/{ref.name}" for step in gates if isinstance(step.action, Probe) for ref in step.action.refs
    )
    assert probes(run) == []
    run.cluster.sleep(10.0)
    assert pods(run) == []
    said = [entry.detail for entry in run.disk.entries if entry.event == "succeeded" and entry.step.endswith("/probe")]
    assert said == ["connections that work as they should: 1; that are denied as they should be: 1"] * 4
    file = msgspec.json.decode(run.disk.files["r1", "probe-batch-1.json"], type=ProbeFile)
    assert [(one.allowed, one.port, bool(one.at)) for one in file.tries] == [(True, 5432, True), (False, 5432, True)]


def test_probes_run_on_the_nodes_that_left() -> None:
    there = town("calico_by_manifest")
    plan = planned(there, batch="1")
    seen: dict[str, set[str]] = {}

    def says(job: Json, node: str) -> str:
        if not is_probe(job):
            return ""
        seen.setdefault(job["spec"]["template"]["spec"]["nodeName"], set()).add(node)
        return Played()(job, node)

    run = Run(there.snapshot, plan, prepare=lambda cluster: setattr(cluster.life.jobs, "says", says))
    run.go()
    for step in plan.steps:
        if isinstance(step.action, Probe) and step.phase == "6 exit":
            assert len(step.action.nodes) == 1
            assert seen[step.action.nodes[0]] == {step.action.nodes[0]}, "pinned, so that the cordon of others does not matter"


def test_what_gets_through_stops_the_run_at_once_with_the_way_back() -> None:
    there = town("calico_by_operator")
    plan = planned(there)
    gate = next(s.action for s in plan.steps if s.id == "roll/batch-1/probe")
    assert isinstance(gate, Probe)
    names = {ref.name for ref in gate.refs}
    played = Played(lambda job, line: "open" if job["metadata"]["name"] in names and line[3] == "closed" else None)
    run = run_of(there, plan, played)
    with pytest.raises(StepFailed, match="connections get through that policies deny: shop/StatefulSet/db") as error:
        run.go()
    assert re.search(r"eksnetpol rollback r1", str(error.value))
    assert events(run.disk)[-1].startswith("failed roll/batch-1/probe")
    left = sum(old == "absent" for old, _, _ in run.standing().elements())
    assert left == 1, "only the canary has left"
    run.back()
    run.cluster.sleep(600.0)
    assert run.standing() == {("live", "absent", True): sum(run.standing().values())}
    assert probes(run) == []


def test_more_failures_than_may_be_pause_the_run_and_it_goes_on_when_they_are_mended() -> None:
    there = town("calico_by_operator")
    broken = [True]
    played = Played(lambda _job, line: "silent" if broken and line[3] == "open" else None)
    run = run_of(there, planned(there), played)
    with pytest.raises(StepFailed, match="connections fail that policies allow, 1 where 0 may") as error:
        run.go()
    assert "eksnetpol resume r1 tries again; eksnetpol rollback r1 goes back" in str(error.value)
    assert run.standing() == {("live", "absent", True): sum(run.standing().values())}, "under the old engine nothing has begun"
    broken.clear()
    run.go()
    assert events(run.disk)[-1] == "closed"
    assert run_is_over(run)


def run_is_over(run: Run) -> bool:
    return probes(run) == [] and all(new == "live" for _, new, _ in run.standing())


def test_as_many_may_fail_as_people_say() -> None:
    there = town("calico_by_operator")
    played = Played(lambda _job, line: "silent" if line[3] == "open" else None)
    run = run_of(there, planned(there, abort_after=1), played)
    with pytest.raises(StepFailed, match="the probes say nothing at all"):
        # Beside a control that fails no denial counts, so nothing at all is known: that is more than one failure.
        run.go()


@pytest.mark.parametrize("engine", ["calico_by_operator", "cilium"])
def test_a_process_that_dies_among_probes_is_gone_on_with(engine: str) -> None:
    there = town(engine)
    plan = planned(there)
    whole = run_of(there, plan)
    whole.go(until="3 baseline")
    moments = len(whole.go(until="3 baseline").moments)
    first = moments_of(there, plan)
    assert moments < first
    for number, moment in enumerate(range(first - 34, first, 2)):
        played = Played()
        run = run_of(there, plan, played)
        dies: Any = {("before", "after")[number % 2]: dies_at(moment)}
        with pytest.raises(Killed):
            run.go(until="3 baseline", **dies)
        run.go(until="3 baseline")
        assert probes(run) == [], f"moment {moment}"
        done = [line for line in events(run.disk) if line.startswith("succeeded baseline/")]
        assert done == ["succeeded baseline/probe", "succeeded baseline/probes-gone"], f"moment {moment}"
        run.cluster.sleep(10.0)
        assert pods(run) == []


def moments_of(there: Town, plan: Plan) -> int:
    """How many moments the run has up to the end of its baseline."""
    return len(run_of(there, plan).go(until="3 baseline").moments)


def test_results_of_another_run_are_not_taken_for_this_ones() -> None:
    there = town("calico_by_manifest")
    plan = planned(there)
    good, bad = Played(), Played(lambda _job, line: "open" if line[3] == "closed" else None)
    run = run_of(there, plan, good)
    with pytest.raises(Killed):
        run.go(after=dies_after_probes())
    run.cluster.sleep(600.0)
    assert len(good.jobs) == len(probes(run)) == 2, "the Jobs of a run that died are there, with good news"
    run.cluster.life.jobs.says = lambda job, node: bad(job, node) if is_probe(job) else ""
    run.disk = Disk()
    with pytest.raises(StepFailed, match="connections get through that policies deny"):
        run.go()
    assert len(probes(run)) == len(bad.jobs) == 2, "made anew, not doubled"


def dies_after_probes() -> Callable[[int, str], None]:
    """Die when the file of the baseline's probes is written: the first file after the Lease and two Jobs were made."""
    created: list[int] = []

    def after(number: int, name: str) -> None:
        if name == "create":
            created.append(number)
        if name == "save" and len(created) > 2:
            raise Killed

    return after


# --- what must not be probed ------------------------------------------------------------------------------------------


def budget(**spec: Any) -> Json:
    wanted = {"selector": {"matchLabels": {"app": "db"}}, **spec}
    meta = {"name": "db", "namespace": "shop"}
    return {"apiVersion": DISRUPTION_BUDGET.api_version, "kind": DISRUPTION_BUDGET.name, "metadata": meta, "spec": wanted}


@pytest.mark.parametrize(("spec", "is_blocked"), [({"maxUnavailable": 1}, True), ({"minAvailable": 1}, False)])
def test_no_probe_blocks_a_disruption_budget(spec: dict[str, int], is_blocked: bool) -> None:
    there = town("calico_by_operator")
    found = msgspec.convert(budget(**spec), DisruptionBudget)
    aware = Town(replace(there.snapshot, disruption_budgets=Seen((found,))), there.source, there.translation, ebpf=False)
    plan = planned(aware)
    action = next(s.action for s in plan.steps if isinstance(s.action, Probe))
    assert isinstance(action, Probe)
    assert any(source.labels == {"app": "db"} for source in action.sources) is not is_blocked
    told = any("PodDisruptionBudget db would allow no eviction as long as" in words for words in plan.warnings)
    assert told is is_blocked


@pytest.mark.parametrize("made", ["budget", "service"])
def test_what_came_since_the_plan_keeps_a_probe_away(made: str) -> None:
    there = town("calico_by_manifest")
    played = Played()
    run = run_of(there, planned(there), played)
    spec = {"selector": {"app": "db"}, "clusterIP": "None", "publishNotReadyAddresses": True, "ports": [{"port": 5432}]}
    service = {"apiVersion": "v1", "kind": SERVICE.name, "metadata": {"name": "peers", "namespace": "shop"}, "spec": spec}
    run.cluster.create(budget(maxUnavailable="50%") if made == "budget" else service)
    run.go(until="3 baseline")
    said = next(e.detail for e in run.disk.entries if e.event == "succeeded" and e.step == "baseline/probe")
    why = {"budget": "PodDisruptionBudget db would allow no eviction", "service": "Service peers sends traffic to pods"}
    assert why[made] in said
    assert len(played.jobs) == 1, "nothing like the pods of db was started"


def test_somebody_elses_job_is_left_alone() -> None:
    there = town("calico_by_manifest")
    plan = planned(there)
    run = run_of(there, plan)
    action = next(s.action for s in plan.steps if isinstance(s.action, Probe))
    assert isinstance(action, Probe)
    ref = action.refs[0]
    template = {"metadata": {}, "spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "a"}]}}
    meta = {"name": ref.name, "namespace": ref.namespace}
    run.cluster.create({"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": {"template": template}})
    with pytest.raises(StepFailed, match="is not eksnetpol's"):
        run.go()
    assert run.cluster.get(ObjectRef.to(JOB, ref.name, ref.namespace)) is not None


def test_a_probe_that_cannot_run_is_no_denial() -> None:
    there = town("calico_by_manifest")
    plan = planned(there)
    run = run_of(there, plan)
    run.cluster.life.jobs.fails |= {node.name for node in there.snapshot.nodes.value}  # type: ignore[union-attr]
    with pytest.raises(StepFailed, match="the probe gave no result") as error:
        run.go()
    assert "has failed" in str(error.value)


def test_going_back_takes_probes_along() -> None:
    there = town("calico_by_manifest")
    plan = planned(there)
    run = run_of(there, plan)
    wanted = run_of(there, plan).end()
    run.go(until="6 exit")
    back = run.back()
    assert any(step.id == "back-roll/batch-1/probe" for step in back.steps)
    assert run.end() == wanted


# --- other engines, other words ---------------------------------------------------------------------------------------


def firewalled() -> Town:
    """The shop under kube-router, with a policy about its database."""
    there = town("kube_router")
    spec = {
        "podSelector": {"matchLabels": {"app": "db"}}, "policyTypes": ["Ingress"],
        "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "web"}}}], "ports": [{"port": 5432, "protocol": "TCP"}]}],
    }  # fmt: skip
    policy = msgspec.convert({"metadata": {"name": "db", "namespace": "shop", "uid": "db"}, "spec": spec}, NetworkPolicy)
    snapshot = replace(there.snapshot, network_policies=Seen((policy,)))
    source = source_of(snapshot)
    return Town(snapshot, source, translated(source), ebpf=False)


def test_beside_an_engine_that_refuses_a_refusal_says_nothing() -> None:
    there = firewalled()
    played = Played(lambda _job, line: "refused" if line[3] == "closed" else None)
    run = run_of(there, planned(there), played)
    run.go(until="3 baseline")
    said = next(e.detail for e in run.disk.entries if e.event == "succeeded" and e.step == "baseline/probe")
    assert said == "connections that work as they should: 1; that are denied as they should be: 1"
    calico = town("calico_by_manifest")
    with pytest.raises(StepFailed, match="connections get through that policies deny"):
        # An engine that drops never refuses: somebody was reached.
        run_of(calico, planned(calico), played).go(until="3 baseline")


def test_a_runbook_says_what_is_to_be_tried() -> None:
    there = town("calico_by_manifest")
    told = runbook.write(planned(there))
    assert "#   shop/StatefulSet/web to shop/StatefulSet/db, TCP 5432: must work" in told
    assert "#   shop/StatefulSet/db to shop/StatefulSet/db, TCP 5432: must get no answer" in told
    assert "What is below looks at objects alone" not in told
    assert "What is below looks at objects alone" in runbook.write(planned(there, probe_image=""))


def test_a_rehearsal_without_probes_says_that_nothing_is_tried() -> None:
    there = town("calico_by_manifest")

    def notes(plan: Plan) -> tuple[str, ...]:
        return rehearse_migration(plan, there.snapshot, there.source, there.brought, profile=PROFILE).notes

    assert UNTRIED in notes(planned(there, probe_image=""))
    assert UNTRIED not in notes(planned(there))
