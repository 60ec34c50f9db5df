"""Plans carried out in memory from end to end, gone back on from every phase, killed and hindered on the way."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from eksnetpol.assets.cleaner import cleaner_ref
from eksnetpol.errors import DoorClosed, StepFailed, TimedOut, TransientError
from eksnetpol.facts.declare import Lookup
from eksnetpol.migration.planning.migrate import plan_migration
from eksnetpol.migration.planning.options import Exit, LeftOver
from eksnetpol.model.kinds import DEFINITION, JOB, NAMESPACE, NETWORK_POLICY, NODE, ObjectRef
from eksnetpol.model.plan import Plan
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.model.snapshot import NOT_ASKED, ClusterSnapshot, Seen
from tests.execution.ends import events
from tests.execution.test_interruptions import dies_at
from tests.execution.trouble import Killed
from tests.migration.planning.carrying import Run
from tests.migration.planning.clusters import CLUSTERS, options, planned, translation_of, value

EVERYTHING = tuple(LeftOver)
NEW = ("absent", "live", True)
OLD = ("live", "absent", True)


def prepared(name: str, **said: Any) -> tuple[ClusterSnapshot, Plan]:
    snapshot = CLUSTERS[name]()
    return snapshot, planned(snapshot, options(left_overs=EVERYTHING, soak=5.0, settle=30.0, **said))


@pytest.mark.parametrize("name", CLUSTERS)
def test_a_cluster_leaves_its_engine_and_then_nothing_is_left_to_do(name: str) -> None:
    snapshot, plan = prepared(name)
    run = Run(snapshot, plan)
    run.go()
    assert events(run.disk)[-1] == "closed"
    assert run.standing() == {NEW: 3}
    again = plan_migration(Lookup(run.cluster.snapshot()), translation_of(snapshot), options())
    assert (again.steps, again.refusals) == ((), ())
    groups = {d["spec"]["group"] for d in run.cluster.objects(DEFINITION)}
    assert not groups & {"crd.projectcalico.org", "operator.tigera.io", "cilium.io"}
    assert "networking.k8s.aws" in groups
    assert run.cluster.objects(JOB) == ()
    assert not {"calico-system", "tigera-operator"} & {n["metadata"]["name"] for n in run.cluster.objects(NAMESPACE)}
    made = {(o.ref.namespace, o.ref.name) for o in translation_of(snapshot).outputs}
    assert made <= {(p["metadata"]["namespace"], p["metadata"]["name"]) for p in run.cluster.objects(NETWORK_POLICY)}


def test_nodes_are_replaced_where_they_are_to_be() -> None:
    snapshot, plan = prepared("calico-operator", exit=Exit.REPLACEMENT)
    run = Run(snapshot, plan)
    before = {node.name for node in value(snapshot.nodes)}
    run.go()
    assert run.standing() == {NEW: 3}
    assert not before & {node["metadata"]["name"] for node in run.cluster.objects(NODE)}


PHASES_BACK = [
    *(("calico-operator", phase) for phase in ("4 apply", "5b agent", "6 exit", "7 uninstall", "8 left-overs", "9 close")),
    *(("calico-manifest", phase) for phase in ("5b agent", "6 exit", "7 uninstall", "8 left-overs")),
    *(("kube-router", phase) for phase in ("5b agent", "6 exit", "9 close")),
    ("cilium", "5a controller"),
]


@pytest.mark.parametrize(("name", "phase"), PHASES_BACK)
def test_going_back_from_any_phase_ends_where_it_began(name: str, phase: str) -> None:
    snapshot, plan = prepared(name)
    fresh = Run(snapshot, plan)
    wanted = fresh.end()
    run = Run(snapshot, plan)
    run.go(until=phase)
    back = run.back()
    assert back.refusals == ()
    assert run.end() == wanted, "who enforces, which policies there are, and what runs the engine"
    assert run.standing() == {OLD: 3}


def test_going_back_lets_the_old_engine_enforce_before_anything_of_the_new_one_goes() -> None:
    snapshot, plan = prepared("calico-operator")
    run = Run(snapshot, plan)
    run.go(until="6 exit")
    ids = [step.id for step in run.back().steps]
    applied = [i for i in ids if i.startswith("back-apply/")]
    assert applied
    assert max(ids.index(i) for i in ids if i.startswith("back-roll/")) < ids.index("back-exclude") < ids.index(applied[0])
    assert ids.index(applied[-1]) < ids.index("back-enable/update-addon") < ids.index("free-networkpolicies")


def test_what_a_former_translation_said_comes_back() -> None:
    snapshot = CLUSTERS["calico-operator"]()
    (output,) = translation_of(snapshot).outputs
    former = {**output.manifest, "spec": {"podSelector": {}, "policyTypes": ["Ingress"]}}
    seen = replace(snapshot, network_policies=Seen((msgspec.convert(former, NetworkPolicy),)))
    plan = planned(seen, options())
    assert [step.id for step in plan.steps if step.phase == "4 apply"] == [f"apply/{output.ref.namespace}/{output.ref.name}"]
    run = Run(snapshot, plan, prepare=lambda cluster: cluster.apply(former))
    wanted = run.end()
    run.go(until="4 apply")
    assert run.end() != wanted
    run.back()
    assert run.end() == wanted
    said = Run(replace(snapshot, network_policies=Seen((msgspec.convert(dict(output.manifest), NetworkPolicy),))), plan)
    again = planned(said.cluster.snapshot(), options())
    assert not [step for step in again.steps if step.phase == "4 apply"], "what is there and says the same is left alone"


def test_what_replaced_nodes_cannot_bring_back_is_said() -> None:
    snapshot, plan = prepared("cilium")
    run = Run(snapshot, plan)
    run.go(until="6 exit")
    from eksnetpol.execution.progress import past_of
    from eksnetpol.planning.rollback import plan_rollback

    back = plan_rollback(plan, run="r1", touched=past_of(run.disk.entries).touched)
    assert {stop.flag for stop in back.refusals} == {"--partial"}
    assert "has to be let onto these nodes" in back.refusals[0].why


# --- deaths ---------------------------------------------------------------------------------------------------------------

STRIDES = {"calico-operator": 61, "calico-manifest": 127, "kube-router": 137, "cilium": 113}
"""Every so many moments of a run a process dies, each time another one goes on: about 20 deaths of the first, 8 of each other."""


@pytest.mark.parametrize("name", CLUSTERS)
def test_a_process_that_dies_is_gone_on_with_to_the_same_end(name: str) -> None:
    snapshot, plan = prepared(name)
    whole = Run(snapshot, plan)
    moments = whole.go().moments
    wanted = whole.end()
    for number, moment in enumerate(range(7, len(moments), STRIDES[name])):
        run = Run(snapshot, plan)
        dies: Any = {("before", "after")[number % 2]: dies_at(moment)}
        with pytest.raises(Killed):
            run.go(**dies)
        run.go()
        assert run.end() == wanted, f"died at {moments[moment]}, moment {moment}"
        done = [line for line in events(run.disk) if line.startswith("succeeded")]
        assert done == [f"succeeded {step.id}" for step in plan.steps]


def test_processes_that_die_again_and_again_get_there_and_lose_no_copy() -> None:
    snapshot, plan = prepared("calico-operator")
    run = Run(snapshot, plan)
    deaths = 0
    while events(run.disk)[-1:] != ["closed"]:
        try:
            run.go(after=dies_at(40 + deaths // 4))
        except Killed:
            deaths += 1
        assert deaths < 400
    assert deaths > 15
    assert run.standing() == {NEW: 3}
    kept = {name for _, name in run.disk.files}
    assert {"sources.json", "old-policies.json", "engine.json", "definitions.json", "vpc-cni.json"} <= kept
    assert b"default.redis" in run.disk.files["r1", "old-policies.json"]


# --- trouble ------------------------------------------------------------------------------------------------------------


def stopped(run: Run, kind: type[StepFailed], words: str, **how: Any) -> None:
    with pytest.raises(kind, match=words) as error:
        run.go(**how)
    assert re.search("eksnetpol resume r1", str(error.value))


def test_a_policy_that_comes_on_the_way_stops_the_run_before_the_next_batch() -> None:
    snapshot, plan = prepared("calico-operator", batch="1")
    run = Run(snapshot, plan)
    run.go(until="5b agent")
    policy = {
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "new", "namespace": "boutique"},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
    }  # fmt: skip
    run.cluster.create(policy)
    stopped(run, StepFailed, "networkpolicy.networking.k8s.io/boutique/new is new; what they mean now was not translated")
    assert events(run.disk)[-1].endswith("/gate")
    assert run.standing() == {("live", "live", True): 3}, "no node has left"
    run.cluster.delete(ObjectRef.to(NETWORK_POLICY, "new", "boutique"))
    run.cluster.sleep(30.0)
    run.go()
    assert run.standing() == {NEW: 3}


def test_nobody_is_uninstalled_whose_door_was_not_confirmed() -> None:
    snapshot, plan = prepared("calico-operator")
    run = Run(snapshot, plan)
    with pytest.raises(DoorClosed, match="--confirm uninstall"):
        run.go(confirmed=frozenset())
    assert run.standing() == {NEW: 3}
    assert run.cluster.scene().parts["deployment/tigera-operator/tigera-operator"]
    with pytest.raises(DoorClosed, match="--confirm left-overs"):
        run.go(confirmed=frozenset({"uninstall"}))
    assert not run.cluster.scene().parts["deployment/tigera-operator/tigera-operator"]
    run.go(confirmed=frozenset({"left-overs"}))
    assert events(run.disk)[-1] == "closed"


def test_a_node_on_which_the_cleaner_fails_stays_cordoned_and_stops_the_run() -> None:
    snapshot, plan = prepared("calico-manifest")
    run = Run(snapshot, plan)
    first = value(snapshot.nodes)[0].name
    run.cluster.life.jobs.fails.add(first)
    stopped(run, StepFailed, "job/kube-system/eksnetpol-clean-.* has failed: .*; its pod's log says why: kubectl")
    assert run.standing() == {("frozen", "live", False): 1, ("live", "live", True): 2}, "it takes no new pods"


def test_a_finalizer_that_nobody_lets_go_of_is_named_when_patience_is_over() -> None:
    snapshot, plan = prepared("calico-operator")
    run = Run(snapshot, plan)
    run.cluster.life.operators.stuck.add("operator.tigera.io/apiserver-controller")
    stopped(run, TimedOut, "installation/default \\(ending, held by finalizer .*operator.tigera.io/apiserver-controller")
    assert run.cluster.scene().parts["deployment/tigera-operator/tigera-operator"], "who lets go of them outlives them"
    run.cluster.life.operators.stuck.clear()
    run.go()
    assert run.standing() == {NEW: 3}


def test_new_nodes_that_never_come_stop_the_run_with_nothing_drained() -> None:
    snapshot, plan = prepared("cilium")
    run = Run(snapshot, plan)

    class Nobody:
        def next_due(self, now: float) -> None:
            del now

        def turn(self, now: float) -> None:
            del now

    run.people.supply = Nobody()  # type: ignore[assignment]
    stopped(run, TimedOut, "0 of 1 nodes with eksnetpol.io/engine=vpc-cni are ready")
    assert run.standing() == {OLD: 3}


def test_an_api_server_that_is_away_for_a_while_is_waited_for() -> None:
    snapshot, plan = prepared("calico-operator")
    whole = Run(snapshot, plan)
    moments = len(whole.go().moments)
    run = Run(snapshot, plan)

    def away(number: int, name: str) -> None:
        if name not in {"append", "save", "load"} and number % 97 < 3 and 50 < number < moments:
            raise TransientError("the API server is away")

    run.go(before=away)
    assert run.end() == whole.end()


def test_a_cleaner_that_failed_is_made_anew_once_its_job_is_deleted() -> None:
    snapshot, plan = prepared("calico-manifest")
    run = Run(snapshot, plan)
    first = value(snapshot.nodes)[0].name
    run.cluster.life.jobs.fails.add(first)
    stopped(run, StepFailed, "has failed")
    stopped(run, StepFailed, "let it be made anew: kubectl -n kube-system delete job/eksnetpol-clean-")
    run.cluster.life.jobs.fails.clear()
    run.cluster.delete(cleaner_ref(first))
    run.cluster.sleep(30.0)
    run.go()
    assert run.standing() == {NEW: 3}


def test_a_new_plan_finishes_what_a_run_left_half_way() -> None:
    snapshot, plan = prepared("calico-manifest")
    run = Run(snapshot, plan)
    first = value(snapshot.nodes)[0].name
    run.cluster.life.jobs.fails.add(first)
    stopped(run, StepFailed, "has failed")
    assert run.standing() == {("frozen", "live", False): 1, ("live", "live", True): 2}
    run.cluster.life.jobs.fails.clear()
    run.cluster.delete(cleaner_ref(first))
    run.cluster.sleep(30.0)
    anew = planned(run.cluster.snapshot(), options(left_overs=EVERYTHING, soak=5.0, settle=30.0))
    ids = [step.id for step in anew.steps]
    assert f"roll/{first}/uncordon" in ids
    assert "exclude" not in ids
    assert not [i for i in ids if i.startswith(("apply/", "enable/"))]
    second = Run(snapshot, anew, on=run.cluster)
    second.go()
    assert second.standing() == {NEW: 3}


def test_nodes_may_be_left_in_two_runs() -> None:
    snapshot = CLUSTERS["kube-router"]()
    first = value(snapshot.nodes)[0].name
    some = planned(snapshot, options(nodes=f"kubernetes.io/hostname={first}", soak=0.0))
    run = Run(snapshot, some)
    run.go()
    assert run.standing() == {NEW: 1, ("live", "live", True): 2}
    rest = planned(run.cluster.snapshot(), options(soak=0.0, settle=0.0))
    assert not [step for step in rest.steps if first in step.id]
    second = Run(snapshot, rest, on=run.cluster)
    second.go()
    assert second.standing() == {NEW: 3}


def test_a_new_plan_ends_an_uninstall_that_a_run_did_not() -> None:
    snapshot, plan = prepared("calico-operator")
    run = Run(snapshot, plan)
    run.cluster.life.operators.stuck.add("operator.tigera.io/apiserver-controller")
    stopped(run, TimedOut, "held by finalizer")
    run.cluster.life.operators.stuck.clear()
    anew = planned(run.cluster.snapshot(), options(left_overs=EVERYTHING, settle=0.0))
    assert anew.refusals == ()
    assert not [step for step in anew.steps if step.phase == "6 exit"]
    second = Run(snapshot, anew, on=run.cluster)
    second.go()
    assert second.standing() == {NEW: 3}
    assert not second.cluster.scene().parts["deployment/tigera-operator/tigera-operator"]


def test_a_look_of_before_that_asked_for_no_budgets_is_rehearsed_all_the_same() -> None:
    snapshot, plan = prepared("calico-manifest")
    run = Run(replace(snapshot, disruption_budgets=NOT_ASKED), plan)
    run.go()
    assert run.standing() == {NEW: 3}
