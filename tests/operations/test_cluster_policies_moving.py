"""ClusterNetworkPolicies as what a migration applies: planned, carried out, watched, waited for, and taken back."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from eksnetpol.execution.covering import covered
from eksnetpol.execution.seeing import State
from eksnetpol.model.actions import Apply, Delete
from eksnetpol.model.conditions import Covered, Unchanged, conditions
from eksnetpol.model.foreign import foreign_policy
from eksnetpol.model.kinds import CLUSTER_POLICY, CLUSTER_POLICY_ENDPOINT
from eksnetpol.model.objects.metadata import ObjectMeta
from eksnetpol.model.plan import Plan, Step
from eksnetpol.model.policies import ClusterNetworkPolicy, ClusterPolicySpec
from eksnetpol.model.snapshot import ClusterSnapshot, Seen, Unread, Why
from eksnetpol.operations.moving import Move
from eksnetpol.operations.rehearsal import rehearse_migration, rehearsed
from eksnetpol.policy.profile import Profile
from eksnetpol.reporting import by_hand
from eksnetpol.simulation.world import SimulatedCluster
from eksnetpol.translation.naming import MANAGED_BY
from tests.migration.cluster_policy_town import DENIES, NAME, move, there
from tests.migration.planning.carrying import Run

Json = dict[str, Any]
PROFILE = Profile(family="ipv4")


def applied(plan: Plan) -> list[Step]:
    """The steps that apply a policy."""
    return [step for step in plan.steps if step.id.startswith("apply/")]


def refusals(made: Move) -> str:
    """Why nobody may run it, as far as it is about ClusterNetworkPolicies."""
    return "; ".join(refusal.why for refusal in made.plan.refusals if "ClusterNetworkPolicies" in refusal.why)


def test_they_are_applied_before_any_network_policy_and_everything_waits_for_them() -> None:
    plan = move().plan
    kinds = [step.action.object["kind"] for step in applied(plan) if isinstance(step.action, Apply)]
    assert kinds == ["ClusterNetworkPolicy", *["NetworkPolicy"] * (len(kinds) - 1)]
    assert len(kinds) > 1
    met = [one for step in plan.steps for one in conditions(step.until)]
    assert {one.cluster for one in met if isinstance(one, Covered)} == {True}
    assert all(str(CLUSTER_POLICY) in one.kinds for one in met if isinstance(one, Unchanged))
    assert any("NetworkPolicies and 1 ClusterNetworkPolicy" in fact for fact in plan.facts), plan.facts
    plain = move(asked=False).plan
    assert {step.action.object["kind"] for step in applied(plain) if isinstance(step.action, Apply)} == {"NetworkPolicy"}
    assert refusals(move()) == refusals(move(asked=False)) == ""


def test_the_rehearsal_counts_them_in() -> None:
    made = move()
    done = rehearsed(made, PROFILE)
    assert (done.error, done.violations) == ("", ())
    assert (done.beats[-1].wider, done.beats[-1].narrower) == (0, 0)


def test_without_one_that_denies_what_it_denied_flows_once_the_old_engine_leaves_a_node() -> None:
    rules = [{"action": "Deny", "source": {"selector": "app == 'spy'"}}, {"action": "Allow"}]
    open_web = {**DENIES, "spec": {"order": 10, "selector": "app == 'web'", "types": ["Ingress"], "ingress": rules}}
    made = move(replace(there(), foreign_policies=Seen((foreign_policy(open_web, open_web["apiVersion"], open_web["kind"]),))))
    assert made.source is not None
    assert rehearsed(made, PROFILE).violations == ()
    (denies,) = (s for s in applied(made.plan) if isinstance(s.action, Apply) and s.action.ref.of_kind == CLUSTER_POLICY)
    lacking = replace(made.plan, steps=tuple(step for step in made.plan.steps if step is not denies))
    done = rehearse_migration(lacking, made.snapshot, made.source, made.brought, profile=PROFILE)
    assert {v.invariant.value for v in done.violations} == {"I3"}
    assert any("shop/StatefulSet/spy" in flow and "shop/StatefulSet/web" in flow for beat in done.beats for flow in beat.flows)


def test_they_come_by_a_run_and_go_by_a_rollback() -> None:
    run = Run(there(), move().plan)
    run.go(until="enforces")
    assert [p["metadata"]["finalizers"] for p in run.cluster.objects(CLUSTER_POLICY)] == [["networking.k8s.aws/cnp-resources"]]
    assert len(run.cluster.objects(CLUSTER_POLICY_ENDPOINT)) == 1
    back = run.back()
    assert run.cluster.objects(CLUSTER_POLICY) == ()
    gone = [step.action for step in back.steps if isinstance(step.action, Delete)]
    assert any(one.ref.of_kind == CLUSTER_POLICY for action in gone for one in action.objects)


def test_what_says_the_same_already_stays_and_what_said_something_else_comes_back() -> None:
    (step, *rest) = applied(move().plan)
    assert isinstance(step.action, Apply)
    written = step.action.object

    def with_one(priority: int) -> ClusterSnapshot:
        meta = ObjectMeta(name=written["metadata"]["name"], labels=dict(MANAGED_BY), uid="uid-cnp")
        spec = ClusterPolicySpec(**{**written["spec"], "priority": priority, "ingress": tuple(written["spec"]["ingress"])})
        return replace(there(), cluster_policies=Seen((ClusterNetworkPolicy(meta, spec),)))

    assert applied(move(with_one(written["spec"]["priority"])).plan) == rest
    (again, *_) = applied(move(with_one(7)).plan)
    assert again.undo is not None
    assert isinstance(again.undo.action, Apply)
    assert again.undo.action.object["spec"]["priority"] == 7


def test_who_does_it_by_hand_looks_at_both_kinds() -> None:
    plan = move().plan
    gates = [command for step in plan.steps for _, command in by_hand.gates(step, plan)]
    assert "kubectl get clusterpolicyendpoints.networking.k8s.aws" in gates


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"cluster_policies": Unread("they are forbidden", Why.DENIED)}, "already could not be read: they are forbidden"),
        ({"crds": Seen(())}, "is not defined"),
        (
            {"cluster_policies": Seen((ClusterNetworkPolicy(ObjectMeta(name="theirs"), ClusterPolicySpec("Admin", 1)),))},
            "there are some already, and which is asked first is their owner's (theirs)",
        ),
    ],
)
def test_where_it_is_not_known_that_they_are_enforced_it_is_refused(sections: Json, words: str) -> None:
    snapshot = there()
    if "crds" in sections:
        assert isinstance(snapshot.crds, Seen)
        sections = {"crds": Seen(tuple(crd for crd in snapshot.crds.value if crd.name != NAME))}
    made = move(replace(snapshot, **sections))
    assert words in refusals(made)
    assert "--allow-cluster-policies" in refusals(made)
    kinds = {step.action.object["kind"] for step in applied(made.plan) if isinstance(step.action, Apply)}
    assert kinds == {"NetworkPolicy"}


def test_they_are_resolved_when_every_pod_is_named() -> None:
    run = Run(there(), move().plan)
    run.go(until="covered")
    cluster: SimulatedCluster = run.cluster
    assert covered(cluster, cluster=True).state is State.HOLDS
    (one,) = cluster.objects(CLUSTER_POLICY_ENDPOINT)
    spec = {**one["spec"], "podSelectorEndpoints": one["spec"]["podSelectorEndpoints"][1:]}
    cluster.ground.put({**one, "spec": spec})
    seen = covered(cluster, cluster=True)
    assert seen.state is State.PENDING
    assert "ClusterNetworkPolicy" in seen.seen
    assert covered(cluster).state is State.HOLDS
