"""Plans to upgrade: where to, in which way, and what speaks against it."""

from __future__ import annotations

from typing import Any

import pytest

from eksnetpol.errors import EksNetpolError, UsageError
from eksnetpol.facts.declare import Lookup, catalog
from eksnetpol.model import kinds
from eksnetpol.model.actions import Apply, UpdateAddon
from eksnetpol.model.conditions import All, Established, Holds
from eksnetpol.model.eks import AddonSchema
from eksnetpol.model.kinds import Json
from eksnetpol.model.plan import Plan, Way
from eksnetpol.planning.options import UpgradeOptions
from eksnetpol.planning.places import AWS_NODE
from eksnetpol.planning.rollback import plan_rollback
from eksnetpol.planning.upgrade import plan_upgrade
from eksnetpol.planning.versions import versions_on_the_way
from eksnetpol.simulation.world import SimulatedCluster
from tests.planning.clusters import ARGS, SWITCH, facts_of, ids, look, managed, owned, schema, self_managed, variable
from tests.planning.test_disable import carried_out, with_files
from tests.planning.test_market import OFFERED

ON = {"enable-network-policy": "true"}
IMAGE = '.spec.template.spec.containers[name="aws-node"].image'
RELEASES = [{"addonVersion": v, "compatibilities": [{"clusterVersion": "1.31"}]} for v in OFFERED]
SCHEMAS = {v: AddonSchema(v, schema(v)["configurationSchema"]) for v in OFFERED}
COUNTED: Json = {
    "policy_endpoints": [], "cluster_policy_endpoints": [], "cluster_policies": [], "controller_revisions": [],
    "agent_pods": [{"node": "node-a"}, {"node": "node-b"}], "nodes": [{"name": "node-a"}, {"name": "node-b"}], "services": [],
    "namespaces": ["kube-system"], "node_classes": [],
    "crds": [{"name": str(k), "kind": k.name} for k in (kinds.POLICY_ENDPOINT, kinds.CLUSTER_POLICY_ENDPOINT)],
}  # fmt: skip


def of_eks(values: str = '{"enableNetworkPolicy":"true"}', version: str = "v1.19.2-eksbuild.1", **more: Any) -> Json:
    release = version.partition("-")[0]
    node = {"args": ON, "cni": release, "agent": "v1.1.6", "managers": [owned("eks", ARGS, IMAGE, operation="Apply")]}
    switch = {"data": {"enable-network-policy-controller": "true"}, "managers": [owned("eks", SWITCH, operation="Apply")]}
    short = {"aws_node": node, "configmaps": [switch], "addon_releases": RELEASES}
    return managed(values, version, **COUNTED | short | more)


def of_people(cni: str = "v1.19.2", agent: str = "v1.1.6", **more: Any) -> Json:
    return self_managed(agent, **COUNTED | {"aws_node": {"args": ON, "cni": cni, "agent": agent}, "switch": "true"} | more)


def planned(short: Json, to: str = "recommended", **options: Any) -> Plan:
    return plan_upgrade(facts_of(short), UpgradeOptions(to=to, **options), schemas=SCHEMAS)


# --- the managed add-on ----------------------------------------------------------------------------------------------------


def test_one_update_and_one_roll_out_for_each_version_on_the_way() -> None:
    plan = planned(of_eks())
    assert plan.way is Way.ADDON
    assert plan.release == "v1.22.4-eksbuild.1"
    stops = ["v1.19.2-eksbuild.1", "v1.20.5-eksbuild.1", "v1.21.2-eksbuild.1", "v1.22.4-eksbuild.1"]
    assert ids(plan)[:6] == [f"{what}-{v}" for v in stops[1:] for what in ("update-addon", "roll-out")]
    assert ids(plan)[6:] == ["definitions-kept", "controller-switch", "agent"]
    updates = [s for s in plan.steps if isinstance(s.action, UpdateAddon)]
    for step, before in zip(updates, stops, strict=False):
        assert isinstance(step.action, UpdateAddon)
        assert (step.action.configuration_values, step.action.resolve_conflicts) == ('{"enableNetworkPolicy":"true"}', "PRESERVE")
        assert step.undo is not None
        assert isinstance(step.undo.action, UpdateAddon)
        assert step.undo.action.version == before
    assert not plan.refusals
    assert any("v1.19.2-eksbuild.1 -> v1.20.5-eksbuild.1 -> v1.21.2-eksbuild.1" in f for f in plan.facts)


def test_the_schemas_that_the_plan_needs_can_be_asked_for_before() -> None:
    facts = facts_of(of_eks())
    wanted = UpgradeOptions(to="1.21")
    assert versions_on_the_way(facts, wanted) == ("v1.20.5-eksbuild.1", "v1.21.2-eksbuild.1")
    assert versions_on_the_way(facts_of(of_people()), wanted) == ()
    unread = plan_upgrade(facts, wanted)
    assert any("not held against the schema of v1.20.5-eksbuild.1, v1.21.2-eksbuild.1" in w for w in unread.warnings)


def test_the_role_and_yaml_with_comments_are_sent_as_they_are() -> None:
    stored = '# ours\nenableNetworkPolicy: "true"\n'
    short = of_eks(stored)
    short["addon"]["serviceAccountRoleArn"] = "arn:aws:iam::111122223333:role/cni"
    step = planned(short, "1.20").steps[0]
    assert isinstance(step.action, UpdateAddon)
    assert step.action.configuration_values == stored
    assert step.action.role_arn.endswith("role/cni")


def test_a_key_that_a_version_on_the_way_does_not_have_refuses_the_plan() -> None:
    (refusal,) = planned(of_eks('{"enableNetworkPolicy":"true","env":{"NOT_A_KEY":"1"}}'), "1.20").refusals
    assert "EKS would refuse the configuration for v1.20.5-eksbuild.1" in refusal.why
    assert "NOT_A_KEY" in refusal.why


def test_wrong_types_are_put_right_because_the_schema_would_refuse_them() -> None:
    plan = planned(of_eks('{"enableNetworkPolicy":true}'), "1.20")
    step = plan.steps[0]
    assert isinstance(step.action, UpdateAddon)
    assert step.action.configuration_values == '{"enableNetworkPolicy":"true"}'
    assert any("put right in what is sent" in w for w in plan.warnings)


def test_an_image_that_somebody_else_owns_needs_overwriting_and_their_settings_move_along() -> None:
    short = of_eks()
    short["aws_node"] |= {
        "env": {"WARM_IP_TARGET": "7"},
        "managers": [owned("eks", ARGS, operation="Apply"), owned("kubectl-edit", IMAGE, variable("WARM_IP_TARGET"))],
    }
    plan = planned(short, "1.20")
    step = plan.steps[0]
    assert isinstance(step.action, UpdateAddon)
    assert step.action.resolve_conflicts == "OVERWRITE"
    assert '"WARM_IP_TARGET":"7"' in step.action.configuration_values
    assert any(f.path == IMAGE and f.owner == "kubectl-edit" for f in plan.forecasts)
    kept = planned(short, "1.20", resolve="PRESERVE")
    assert any("stays under PRESERVE: the old version would go on running" in w for w in kept.warnings)


# --- where to ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("short", [of_eks(), of_people()], ids=["managed", "self-managed"])
def test_a_version_there_is_not_is_a_wrong_call(short: Json) -> None:
    with pytest.raises(UsageError, match="the nearest is"):
        planned(short, "1.99.9")


def test_no_downgrade_and_none_below_the_first_version_with_an_agent() -> None:
    plan = planned(of_people("v1.20.5", "v1.2.7"), "1.19.2")
    assert not plan.steps
    (refusal,) = plan.refusals
    assert "does not downgrade" in refusal.why
    assert refusal.flag == ""
    older = [*RELEASES, {"addonVersion": "v1.13.4-eksbuild.1", "compatibilities": [{"clusterVersion": "1.31"}]}]
    endpoint = {"name": "web-abcde", "namespace": "shop", "spec": {"policyRef": {"name": "web", "namespace": "shop"}}}
    below = planned(of_eks(addon_releases=older, policy_endpoints=[endpoint]), "1.13")
    assert not below.steps
    assert "1 PolicyEndpoint left" in below.refusals[0].why


def test_a_version_known_to_do_harm_is_refused_with_what_it_does_and_what_to_take() -> None:
    (refusal,) = planned(of_people("v1.20.5", "v1.2.7"), "1.21.0").refusals
    assert "writes policy rules to the wrong map" in refusal.why
    assert "VPC CNI v1.21.1" in refusal.why
    assert "eksnetpol upgrade --to v1.23.0" in refusal.why


def test_what_is_not_fixed_in_the_target_is_said() -> None:
    assert any("lacks fixes" in w for w in planned(of_eks(), "1.21").warnings)
    assert not any("lacks fixes" in w for w in planned(of_eks()).warnings)


def test_larger_tables_and_renamed_pins_are_said_where_they_are_crossed() -> None:
    crossing = planned(of_eks()).warnings
    assert any("connection table is larger" in w for w in crossing)
    assert any("v1.4.0 renames" in w for w in crossing)
    short = of_eks(version="v1.20.4-eksbuild.2")
    short["aws_node"]["agent"] = "v1.2.7"
    later = planned(short, "1.20.5").warnings
    assert not any("renames" in w or "larger" in w for w in later)


# --- self-managed, Helm, Auto Mode ------------------------------------------------------------------------------------------


def test_images_move_together_and_what_is_needed_comes_before() -> None:
    plan = planned(of_people(), "1.21")
    assert plan.way is Way.MANIFEST
    last = next(s for s in plan.steps if s.id == "aws-node-v1.21.2")
    assert isinstance(last.action, Apply)
    images = {c["name"]: c["image"].rpartition(":")[2] for c in last.action.object["spec"]["template"]["spec"]["containers"]}
    assert images == {"aws-node": "v1.21.2", "aws-eks-nodeagent": "v1.3.5"}
    order = ids(plan)
    assert order.index("permissions-v1.21.2") < order.index("aws-node-v1.21.2") < order.index("roll-out-v1.21.2")
    bare = planned(of_people(crds=[]), "1.21")
    assert ids(bare).index("define-clusterpolicyendpoints-v1.21.2") < ids(bare).index("aws-node-v1.21.2")


@pytest.mark.parametrize(
    ("node", "said"),
    [
        ({"cni": "@sha256:aa", "agent": "v1.2.7"}, "cannot be told"),
        ({"cni": "v1.13.4", "agent": None}, "older than v1.14.0"),
        ({"cni": "v1.20.5", "agent": "@sha256:aa", "args": ON}, "pinned by digest"),
        ({"cni": "v1.20.5", "args": ON, "env": {"NETWORK_POLICY_ENFORCING_MODE": "none"}}, "NETWORK_POLICY_ENFORCING_MODE"),
    ],
)
def test_what_cannot_be_upgraded_by_a_plan_is_refused_with_the_way_on(node: Json, said: str) -> None:
    plan = planned(of_people(aws_node=node))
    assert any(said in r.why for r in plan.refusals)
    assert all(r.flag == "" for r in plan.refusals)


def test_without_an_agent_no_mode_is_brought_in() -> None:
    node = {"cni": "v1.16.4", "agent": None, "env": {"NETWORK_POLICY_ENFORCING_MODE": None}}
    plan = planned(of_people(aws_node=node), "1.20")
    applies = [s.action.object for s in plan.steps if isinstance(s.action, Apply) and s.id.startswith("aws-node")]
    containers = [c for o in applies for c in o["spec"]["template"]["spec"].get("containers", ())]
    assert {c["name"] for c in containers} == {"aws-node"}
    assert not any(e["name"] == "NETWORK_POLICY_ENFORCING_MODE" for c in containers for e in c.get("env", ()))


def test_a_helm_release_is_planned_and_refused_with_helms_commands() -> None:
    notes = {"meta.helm.sh/release-name": "cni", "meta.helm.sh/release-namespace": "kube-system"}
    short = of_people(aws_node={"args": ON, "cni": "v1.19.2", "agent": "v1.1.6", "annotations": notes})
    plan = planned(short, "1.21")
    assert plan.way is Way.HELM
    assert plan.steps
    (refusal,) = plan.refusals
    assert refusal.flag == "--take-over"
    (commands,) = (a for a in plan.afterwards if "helm upgrade" in a)
    assert "helm upgrade cni eks/aws-vpc-cni -n kube-system --version 1.20.5 --reset-then-reuse-values && helm" in commands
    assert "--version 1.21.2" in commands


def test_auto_mode_alone_has_nothing_to_upgrade() -> None:
    short = of_people(aws_node=None)
    short["cluster"] = {**short["cluster"], "computeConfig": {"enabled": True}}
    plan = planned(short)
    assert (plan.way, plan.steps, plan.refusals) == (Way.AUTO_MODE, (), ())
    assert "AWS keeps" in plan.facts[0]
    (refusal,) = planned(of_people(aws_node=None)).refusals
    assert "nothing to upgrade" in refusal.why


def test_nothing_is_guessed() -> None:
    with pytest.raises(EksNetpolError, match="addon releases"):
        planned(of_eks(addon_releases={"unread": "EKS did not answer"}))
    with pytest.raises(UsageError, match="manifests do not say"):
        planned(of_eks(source="manifests"))


# --- who keeps the definition ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("marks", "key", "value"),
    [
        ({"annotations": {"argocd.argoproj.io/tracking-id": "cni:x"}}, "argocd.argoproj.io/sync-options", "Prune=false"),
        (
            {"annotations": {"argocd.argoproj.io/tracking-id": "x", "argocd.argoproj.io/sync-options": "ServerSideApply=true"}},
            "argocd.argoproj.io/sync-options",
            "ServerSideApply=true,Prune=false",
        ),
        ({"labels": {"kustomize.toolkit.fluxcd.io/name": "cni"}}, "kustomize.toolkit.fluxcd.io/prune", "disabled"),
        ({"annotations": {"meta.helm.sh/release-name": "cni"}}, "helm.sh/resource-policy", "keep"),
    ],
)
def test_a_tracked_definition_is_marked_before_the_version_that_no_longer_has_it(marks: Json, key: str, value: str) -> None:
    definition = {"name": str(kinds.POLICY_ENDPOINT), "kind": "PolicyEndpoint", "uid": "c-1", "managers": ["argocd"], **marks}
    short = of_people("v1.20.5", "v1.2.7", crds=[definition, "eniconfigs.crd.k8s.amazonaws.com"])
    plan = planned(short, "1.22")
    first = plan.steps[0]
    assert first.id == "keep-policyendpoints"
    assert isinstance(first.action, Apply)
    assert first.action.object["metadata"]["annotations"] == {key: value}
    assert isinstance(first.until, Holds)
    assert first.undo is not None
    assert any("in its source as well" in a for a in plan.afterwards)
    # A version that still has it deletes nothing.
    assert "keep-policyendpoints" not in ids(planned(short, "1.21"))
    kept = {**definition, "annotations": {**definition.get("annotations", {}), key: value}}
    assert "keep-policyendpoints" not in ids(planned({**short, "crds": [kept]}, "1.22"))


def test_endpoints_have_to_outlive_it_and_so_has_their_definition() -> None:
    endpoint = {"name": "web-abcde", "namespace": "shop", "spec": {"policyRef": {"name": "web", "namespace": "shop"}}}
    names = [{"name": f"{p}.networking.k8s.aws", "uid": f"uid-{p}"} for p in ("policyendpoints", "clusterpolicyendpoints")]
    plan = planned(of_eks(crds=names, policy_endpoints=[endpoint]), "1.20")
    step = next(s for s in plan.steps if s.id == "definitions-kept")
    assert step.until == All(
        (
            Established("policyendpoints.networking.k8s.aws", "uid-policyendpoints"),
            Established("clusterpolicyendpoints.networking.k8s.aws"),
        )
    )
    assert any("1 PolicyEndpoints have to outlive" in f for f in plan.facts)


# --- carried out -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("short", [of_eks(), of_people()], ids=["managed", "self-managed"])
def test_it_is_carried_out_planned_again_and_taken_back(short: Json) -> None:
    world = SimulatedCluster.of(look(short))
    before = world.get(AWS_NODE)
    facts = Lookup(world.snapshot())
    plan = plan_upgrade(facts, UpgradeOptions(to="1.21"), schemas=SCHEMAS)
    disk = carried_out(plan, world)
    catalog()
    after = Lookup(world.snapshot())
    assert str(after.get("cni_release").value.base) == "v1.21.2"  # type: ignore[union-attr]
    again = plan_upgrade(after, UpgradeOptions(to="1.21"), schemas=SCHEMAS)
    assert not again.steps
    assert not again.refusals
    assert "runs already" in again.title
    back = plan_rollback(plan, run="r1", touched=ids(plan))
    assert not back.refusals
    carried_out(back, world, "r2", with_files(disk))
    now = world.get(AWS_NODE)
    assert now is not None
    assert before is not None
    images = [{c["name"]: c["image"] for c in o["spec"]["template"]["spec"]["containers"]} for o in (before, now)]
    # EKS writes the images that it has for a release, so only people's own come back to the letter.
    if plan.way is Way.MANIFEST:
        assert images[0] == images[1]
    assert str(Lookup(world.snapshot()).get("cni_release").value.base) == "v1.19.2"  # type: ignore[union-attr]
