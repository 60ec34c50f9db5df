"""Switching network policy off: nothing of the controller's is left behind, and what was deleted can be put back."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from eksnetpol.errors import Denied, UsageError
from eksnetpol.execution.backups import read
from eksnetpol.execution.executor import carry_out
from eksnetpol.facts.declare import Lookup, catalog
from eksnetpol.model import kinds
from eksnetpol.model.actions import Apply, Delete, UpdateAddon
from eksnetpol.model.kinds import Json, ObjectRef
from eksnetpol.model.plan import Plan, Way
from eksnetpol.model.snapshot import ClusterSnapshot, Seen, Unread, Why
from eksnetpol.planning.disable import plan_disable
from eksnetpol.planning.disable_policies import BACKUP, ENDPOINTS, FINALIZERS
from eksnetpol.planning.options import DisableOptions
from eksnetpol.planning.restore import plan_restore
from eksnetpol.planning.rollback import plan_rollback
from eksnetpol.simulation.world import SimulatedCluster
from tests import builders
from tests.execution.trouble import Disk, Heard, Process
from tests.planning.clusters import ARGS, SWITCH, VERSION, ids, look, managed, owned, self_managed

ON = {"enable-network-policy": "true"}
POLICIES: list[Json] = [
    {"name": "web", "pods": {"app": "web"}, "uid": "p-1", "ingress": [{"from": [{"podSelector": {}}]}]},
    {"name": "closed", "uid": "p-2", "labels": {"team": "shop"}},
    {"name": "egress", "namespace": "tools", "uid": "p-3", "types": ["Egress"]},
]
PODS = [
    {"name": "web-1", "labels": {"app": "web"}, "node": "node-a", "ip": "10.0.0.10"},
    {"name": "idle-1", "namespace": "calm", "node": "node-b", "ip": "10.0.0.11"},
]
NODES = [
    {"name": "node-a", "labels": {"eks.amazonaws.com/nodegroup": "green"}, "ip": "10.0.0.1"},
    {"name": "node-b", "labels": {"eks.amazonaws.com/nodegroup": "blue"}, "ip": "10.0.0.2"},
]
POLICED: Json = {
    "network_policies": POLICIES,
    "application_policies": [],
    "cluster_policies": [],
    "policy_endpoints": [],
    "cluster_policy_endpoints": [],
    "pods": PODS,
    "nodes": NODES,
    "namespaces": ["shop", "tools", "calm", "kube-system"],
    "services": [],
    "node_classes": [],
    "controller_revisions": [],
    "agent_pods": [{"node": "node-a"}, {"node": "node-b"}],
    "crds": [
        {"name": str(k), "kind": k.name} for k in (*list(FINALIZERS)[1:], kinds.POLICY_ENDPOINT, kinds.CLUSTER_POLICY_ENDPOINT)
    ],
}


def of_people(agent: str = "v1.2.7", **more: Any) -> Json:
    return self_managed(agent, **POLICED | {"aws_node": {"args": ON, "agent": agent}, "switch": "true"} | more)


def of_eks(**more: Any) -> Json:
    return managed('{"enableNetworkPolicy":"true","env":{"WARM_IP_TARGET":"5"}}', **POLICED | more) | {
        "aws_node": {"args": ON, "managers": [owned("eks", ARGS, operation="Apply")]} | more.get("aws_node", {}),
        "configmaps": [
            {"data": {"enable-network-policy-controller": "true"}, "managers": [owned("eks", SWITCH, operation="Apply")]}
        ],
        "addon_releases": [{"addonVersion": VERSION, "compatibilities": [{"clusterVersion": "1.31"}]}],
    }


def of_auto_mode(**more: Any) -> Json:
    short = of_people(**more) | {"aws_node": None}
    return short | {"cluster": {**short["cluster"], "computeConfig": {"enabled": True}}}


def endpoint_of(policy: str) -> Json:
    return {
        "name": f"{policy}-abcde",
        "namespace": "shop",
        "uid": "e-1",
        "spec": {"policyRef": {"name": policy, "namespace": "shop"}},
    }


WAYS = {"managed": of_eks, "self-managed": of_people, "auto mode": of_auto_mode}


def settled(short: Json) -> SimulatedCluster:
    """A cluster in which the controller has done its work."""
    world = SimulatedCluster.of(look(short | {"network_policies": []}))
    for policy in short["network_policies"]:
        whole = builders.policy(dict(policy))
        whole["metadata"] = {k: v for k, v in whole["metadata"].items() if k not in {"uid", "creationTimestamp"}}
        world.create({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", **whole})
    world.sleep(120)
    return world


def planned(snapshot: ClusterSnapshot, **options: Any) -> Plan:
    catalog()
    return plan_disable(Lookup(snapshot), DisableOptions(**options))


def carried_out(plan: Plan, world: SimulatedCluster, run: str = "r1", disk: Disk | None = None) -> Disk:
    disk = disk or Disk()
    process = Process(world, disk, run)
    carry_out(plan, process.hands, process.journal, world, Heard(), holder="a test")
    return disk


def policies(world: SimulatedCluster) -> dict[str, Json]:
    return {str(ObjectRef.of(o)): o for kind in FINALIZERS for o in world.objects(kind)}


def endpoints(world: SimulatedCluster) -> list[Json]:
    return [o for kind in (kinds.POLICY_ENDPOINT, kinds.CLUSTER_POLICY_ENDPOINT) for o in world.objects(kind)]


def finalizers(world: SimulatedCluster) -> list[str]:
    return [f for o in policies(world).values() for f in o["metadata"].get("finalizers", ())]


def is_off(world: SimulatedCluster) -> bool:
    switches = Lookup(world.snapshot()).get("switches")
    assert isinstance(switches, Seen)
    return bool(switches.value.both_off)


# --- carried out ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_left_and_all_can_be_put_back(way: str) -> None:
    world = settled(WAYS[way]())
    before = policies(world)
    assert len(before) == 3
    assert len(endpoints(world)) >= 3
    assert len(finalizers(world)) == 3
    plan = planned(world.snapshot())
    assert not plan.refusals
    assert ids(plan)[:3] == ["back-up", "delete-policies", "endpoints-gone"]
    disk = carried_out(plan, world)
    assert not policies(world)
    assert not endpoints(world)
    assert is_off(world)
    assert not planned(world.snapshot()).steps
    # And back again.
    file = disk.files["r1", BACKUP]
    kept = read(file, BACKUP)
    restore = plan_restore(plan.target, run="r1", file=BACKUP, digest="", objects=[k.object for k in kept.objects])
    carried_out(restore, world, "r2", with_files(disk))
    world.sleep(60)
    assert {ref: bare(o) for ref, o in policies(world).items()} == {ref: bare(o) for ref, o in before.items()}
    assert not finalizers(world)


def with_files(disk: Disk) -> Disk:
    other = Disk()
    other.files = disk.files
    return other


def bare(found: Json) -> Json:
    kept = {k: found["metadata"][k] for k in ("name", "namespace", "labels", "annotations") if k in found["metadata"]}
    return {**{k: v for k, v in found.items() if k != "status"}, "metadata": kept}


@pytest.mark.parametrize("way", WAYS)
def test_policies_that_are_kept_are_free_and_no_endpoint_is_left(way: str) -> None:
    world = settled(WAYS[way]())
    before = policies(world)
    plan = planned(world.snapshot(), keep_policies=True)
    assert not plan.refusals
    carried_out(plan, world)
    world.sleep(120)
    assert policies(world).keys() == before.keys()
    assert {o["metadata"]["uid"] for o in policies(world).values()} == {o["metadata"]["uid"] for o in before.values()}
    assert not finalizers(world)
    assert not endpoints(world)
    assert is_off(world)
    assert not planned(world.snapshot(), keep_policies=True).steps
    assert not planned(world.snapshot()).steps
    # Nothing hangs: whoever deletes one now sees it go.
    world.delete(ObjectRef.to(kinds.NETWORK_POLICY, "web", "shop"))
    world.sleep(10)
    assert len(policies(world)) == 2


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("keep", [False, True])
def test_going_back_enforces_the_same_policies_again(way: str, keep: bool) -> None:
    world = settled(WAYS[way]())
    before, made = policies(world), len(endpoints(world))
    plan = planned(world.snapshot(), keep_policies=keep)
    disk = carried_out(plan, world)
    back = plan_rollback(plan, run="r1", touched=ids(plan))
    carried_out(back, world, "r2", with_files(disk))
    world.sleep(120)
    assert not is_off(world)
    assert {ref: bare(o) for ref, o in policies(world).items()} == {ref: bare(o) for ref, o in before.items()}
    assert len(endpoints(world)) == made
    assert len(finalizers(world)) == 3


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("keep", [False, True])
def test_a_controller_that_was_switched_off_too_early_leaves_nothing_hanging(way: str, keep: bool) -> None:
    world = settled(WAYS[way]())
    world.apply(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "amazon-vpc-cni", "namespace": "kube-system"},
            "data": {"enable-network-policy-controller": "false"},
        },
        force=True,
    )
    world.delete(ObjectRef.to(kinds.NETWORK_POLICY, "closed", "shop"))
    world.sleep(60)
    assert len(policies(world)) == 3, "it hangs in Terminating"
    plan = planned(world.snapshot(), keep_policies=keep)
    assert any(step.id == "free-networkpolicies" for step in plan.steps)
    carried_out(plan, world)
    world.sleep(60)
    # What was being deleted already goes in either way.
    assert len(policies(world)) == (2 if keep else 0)
    assert not endpoints(world)
    assert not finalizers(world)
    assert is_off(world)


# --- the plan ------------------------------------------------------------------------------------------------------------


def test_the_managed_way_is_one_update_that_keeps_everything_else() -> None:
    plan = planned(look(of_eks()))
    assert plan.way is Way.ADDON
    update = next(s for s in plan.steps if s.id == "update-addon")
    assert update.action == UpdateAddon(
        "v1.20.5-eksbuild.1", '{"enableNetworkPolicy":"false","env":{"WARM_IP_TARGET":"5"}}', "PRESERVE"
    )
    assert update.undo is not None
    assert isinstance(update.undo.action, UpdateAddon)
    assert update.undo.action.configuration_values == '{"enableNetworkPolicy":"true","env":{"WARM_IP_TARGET":"5"}}'
    assert ids(plan)[-4:] == ["update-addon", "controller-switch", "agent", "roll-out"]


def test_a_switch_that_somebody_else_owns_is_overwritten_and_their_settings_move_along() -> None:
    short = of_eks()
    short["aws_node"] = {"args": ON, "env": {"WARM_ENI_TARGET": "3"}, "managers": [owned("kubectl-edit", ARGS)]}
    update = next(s for s in planned(look(short)).steps if s.id == "update-addon")
    assert isinstance(update.action, UpdateAddon)
    assert update.action.resolve_conflicts == "OVERWRITE"


def test_the_self_managed_way_switches_the_controller_off_first() -> None:
    plan = planned(look(of_people()))
    assert plan.way is Way.MANIFEST
    assert ids(plan)[3:] == ["controller-switch", "agent", "roll-out"]
    agent = next(s for s in plan.steps if s.id == "agent")
    assert isinstance(agent.action, Apply)
    (container,) = agent.action.object["spec"]["template"]["spec"]["containers"]
    assert "--enable-network-policy=false" in container["args"]
    assert "--log-level=info" in container["args"]


def test_endpoints_whose_policy_is_no_more_are_deleted_by_uid() -> None:
    orphan = endpoint_of("gone")
    plan = planned(look(of_people(policy_endpoints=[orphan])))
    step = next(s for s in plan.steps if s.id == "endpoints-gone")
    assert isinstance(step.action, Delete)
    assert [(o.ref.name, o.uid) for o in step.action.objects] == [("gone-abcde", "e-1")]
    assert step.action.kinds == ()


def test_off_and_clean_is_nothing_to_do_and_policies_of_others_stay() -> None:
    short = of_people(aws_node={"args": {"enable-network-policy": "false"}}, switch="false")
    plan = planned(look(short))
    assert not plan.steps
    assert any("3 NetworkPolicies stay" in fact for fact in plan.facts)


def test_nodes_with_policed_pods_are_named_by_their_group() -> None:
    (recycle,) = (a for a in planned(look(of_people())).afterwards if "replace" in a)
    assert "nodegroup/green (1)" in recycle
    assert "blue" not in recycle


@pytest.mark.parametrize(
    ("agent", "refused", "warned"), [("v1.1.4", True, False), ("v1.1.5", False, True), ("v1.2.1", False, False)]
)
def test_agents_that_crash_with_endpoints_left_are_not_switched_off_with_them(agent: str, refused: bool, warned: bool) -> None:
    short = of_people(agent, policy_endpoints=[endpoint_of("web")])
    plan = planned(look(short), keep_policies=True)
    assert any("crashes again and again" in r.why for r in plan.refusals) is refused
    assert any("watches PolicyEndpoints" in w for w in plan.warnings) is warned
    assert not planned(look(short)).refusals


def test_an_agent_of_which_nothing_is_known_is_taken_for_one_that_crashes() -> None:
    short = of_people(aws_node={"args": ON, "agent": "@sha256:aa"}, policy_endpoints=[endpoint_of("web")])
    (refusal,) = planned(look(short), keep_policies=True).refusals
    assert "cannot be told" in refusal.why
    assert refusal.flag == ""


def test_what_gitops_tracks_would_come_back() -> None:
    tracked = [{**p, "labels": {"kustomize.toolkit.fluxcd.io/name": "shop"}} for p in POLICIES]
    plan = planned(look(of_people(network_policies=tracked)))
    (refusal,) = plan.refusals
    assert "Flux tracks 3 of the policies" in refusal.why
    assert refusal.flag == "--take-over"
    assert not planned(look(of_people(network_policies=tracked)), keep_policies=True).refusals


def test_closed_by_default_is_no_state_to_leave_pods_in() -> None:
    strict = of_people(aws_node={"args": ON, "env": {"NETWORK_POLICY_ENFORCING_MODE": "strict"}})
    assert any("strict" in r.why for r in planned(look(strict)).refusals)
    denying = of_auto_mode(node_classes=[{"name": "default", "spec": {"networkPolicy": "DefaultDeny"}}])
    assert any("DefaultDeny" in r.why for r in planned(look(denying)).refusals)


def test_another_engine_would_lose_the_policies_too() -> None:
    calico = {"name": "calico-node", "namespace": "calico-system", "containers": ["quay.io/calico/node:v3.28.0"]}
    short = of_people(daemonsets=[calico], deployments=[], api_services=[], foreign_kinds=[], engine_settings=[])
    plan = planned(look(short))
    assert any("Calico enforces NetworkPolicies as well" in w for w in plan.warnings), plan.warnings
    assert not any("Calico" in w for w in planned(look(short), keep_policies=True).warnings)


def test_what_could_not_be_read_is_never_left_behind() -> None:
    snapshot = look(of_people())
    unread = Unread("the API server refused it", Why.DENIED, "list applicationnetworkpolicies")
    with pytest.raises(Denied, match=r"application policies.*list applicationnetworkpolicies"):
        planned(replace(snapshot, application_policies=unread))
    with pytest.raises(UsageError, match="manifests do not say"):
        planned(look(of_people(source="manifests")))


def test_keeping_deletes_all_endpoints_there_are_by_then() -> None:
    plan = planned(look(of_people()), keep_policies=True)
    step = next(s for s in plan.steps if s.id == "delete-endpoints")
    assert isinstance(step.action, Delete)
    assert step.action.kinds == ENDPOINTS
    assert ids(plan).index("delete-endpoints") > ids(plan).index("roll-out")
    assert any("AWS says never to delete PolicyEndpoints by hand" in w for w in plan.warnings)


def test_a_helm_release_is_refused_by_default_and_told_what_its_values_have_to_say() -> None:
    notes = {"meta.helm.sh/release-name": "cni", "meta.helm.sh/release-namespace": "kube-system"}
    plan = planned(look(of_people(aws_node={"args": ON, "annotations": notes})))
    assert plan.way is Way.HELM
    assert [r.flag for r in plan.refusals] == ["--take-over"]
    assert any("helm upgrade cni" in a and "enableNetworkPolicy=false" in a for a in plan.afterwards)
