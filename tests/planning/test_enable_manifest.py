"""Self-managed clusters: each situation on a small snapshot, and every release's own manifest carried through to its end."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from eksnetpol.errors import Denied, UsageError
from eksnetpol.facts.vpc_cni import flags_of
from eksnetpol.fields.owners import MANAGER
from eksnetpol.model.actions import Apply, Create, Taking
from eksnetpol.model.conditions import Holds
from eksnetpol.model.kinds import Json
from eksnetpol.model.plan import Plan, Step, Way
from eksnetpol.planning.enable import plan_enable
from eksnetpol.planning.options import EnableOptions
from tests.planning.clusters import ARGS, OFF, SWITCH, ids, owned, planned, self_managed, variable
from tests.planning.manifests import VERSIONS, carry_out, changed, facts_of, in_effect, installed, manifest, undo

AWS_NODE = "daemonset/kube-system/aws-node"
SETTINGS = "configmap/kube-system/amazon-vpc-cni"
KUBECTL = "kubectl-client-side-apply"


def step(plan: Plan, name: str) -> Step:
    return next(s for s in plan.steps if s.id == name)


def applied(plan: Plan, name: str) -> Apply:
    action = step(plan, name).action
    assert isinstance(action, Apply)
    return action


def containers(action: Apply) -> Json:
    return {c["name"]: c for c in action.object["spec"]["template"]["spec"]["containers"]}


# --- situations -----------------------------------------------------------------------------------------------------


def test_two_switches_are_all_that_is_missing_in_a_complete_install() -> None:
    plan = planned(self_managed())
    assert plan.way is Way.MANIFEST
    assert ids(plan) == ["controller-switch", "agent", "roll-out"]
    assert applied(plan, "controller-switch").object["data"] == {"enable-network-policy-controller": "true"}
    agent = containers(applied(plan, "agent"))["aws-eks-nodeagent"]
    assert set(agent) == {"name", "args"}
    assert flags_of(tuple(agent["args"]))["enable-network-policy"] == "true"
    assert all(s.undo is not None for s in plan.steps if isinstance(s.action, Apply))
    assert not plan.refusals


def test_what_is_on_needs_no_steps() -> None:
    plan = planned(self_managed(switch="true", aws_node={}))
    assert not plan.steps
    assert not plan.refusals


def test_a_rollout_that_is_not_over_is_said() -> None:
    plan = planned(self_managed(switch="true", aws_node={"desired": 4, "updated": 1}))
    assert not plan.steps
    assert "3 nodes run an aws-node of before" in plan.warnings[0]


def test_half_on_only_the_other_half_is_done() -> None:
    assert ids(planned(self_managed(switch="true"))) == ["agent", "roll-out"]
    assert ids(planned(self_managed(aws_node={}))) == ["controller-switch"]


def test_a_value_that_only_looks_on_is_written_as_the_controller_reads_it() -> None:
    plan = planned(self_managed(switch="True", aws_node={}))
    assert ids(plan) == ["controller-switch"]
    undo = step(plan, "controller-switch").undo
    assert undo is not None
    assert isinstance(undo.action, Apply)
    assert undo.action.object["data"] == {"enable-network-policy-controller": "True"}


@pytest.mark.parametrize("configmaps", [[], [{"data": {"enable-windows-ipam": "true"}}]])
def test_a_key_that_is_not_there_is_added_and_taken_out_again(configmaps: list[Json]) -> None:
    short = self_managed(configmaps=configmaps)
    del short["switch"]
    plan = planned(short)
    assert applied(plan, "controller-switch").takes == ()
    undo = step(plan, "controller-switch").undo
    assert undo is not None
    assert isinstance(undo.action, Apply)
    assert "data" not in undo.action.object
    assert undo.action.drops == (SWITCH,)
    assert isinstance(undo.until, Holds)
    assert undo.until.without == (SWITCH,)


def test_fields_of_others_are_taken_by_name_and_only_those() -> None:
    short = self_managed(
        aws_node={"args": OFF, "managers": [owned("kubectl", ARGS, variable("ENABLE_IPv4")), owned("helm-like", ARGS)]},
        configmaps=[{"data": {"enable-network-policy-controller": "false"}, "managers": [owned("kubectl", SWITCH)]}],
    )
    del short["switch"]
    plan = planned(short)
    assert applied(plan, "controller-switch").takes == (Taking(SWITCH, "kubectl"),)
    assert applied(plan, "agent").takes == (Taking(ARGS, "helm-like"), Taking(ARGS, "kubectl"))


@pytest.mark.parametrize(
    ("args", "then"),
    [
        (["--enable-network-policy=false", "--x"], ["--enable-network-policy=true", "--x"]),
        (["--x", "--enable-network-policy", "false"], None),
        (["--enable-network-policy=0"], ["--enable-network-policy=true"]),
        (["-enable-network-policy=false"], ["--enable-network-policy=true"]),
        (["--enable-network-policy=true", "--enable-network-policy=false"], ["--enable-network-policy=true"]),
        (["--log-level", "info"], ["--log-level", "info", "--enable-network-policy=true"]),
        (["--enable-network-policy=1"], None),
        (["--enable-network-policy"], None),
    ],
)
def test_every_spelling_of_the_flag_is_understood(args: list[str], then: list[str] | None) -> None:
    short = self_managed(switch="true")
    node = short["aws_node"]
    plan = planned({**short, "aws_node": None, "daemonsets": [with_args(node, args)]})
    if then is None:
        assert not plan.steps, "a switch takes no second word: this is on already"
    else:
        assert containers(applied(plan, "agent"))["aws-eks-nodeagent"]["args"] == then


def with_args(node: Json, args: list[str]) -> Json:
    from tests import builders

    built = builders.aws_node(node)
    built["spec"]["template"]["spec"]["containers"][1]["args"] = args
    return built


def test_missing_definitions_come_first_and_stay() -> None:
    plan = planned(self_managed(agent="v1.4.0", crds=[], aws_node={"args": OFF, "agent": "v1.4.0", "cni": "v1.22.4"}))
    assert ids(plan)[:2] == ["definition-policyendpoints", "definition-clusterpolicyendpoints"]
    for made in plan.steps[:2]:
        assert isinstance(made.action, Create)
        assert made.undo is None
        assert made.one_way


def test_missing_permissions_are_added_beside_those_there_are() -> None:
    own = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}
    plan = planned(self_managed(cluster_roles=[{"name": "aws-node", "rules": [own], "managers": ["kubectl", "me"]}]))
    assert ids(plan) == ["permissions", "controller-switch", "agent", "roll-out"]
    rules = applied(plan, "permissions").object["rules"]
    assert rules[0] == own
    assert {"policyendpoints", "policyendpoints/status"} <= {r for rule in rules[1:] for r in rule["resources"]}
    assert applied(plan, "permissions").takes == (Taking(".rules", "kubectl"), Taking(".rules", "me"))
    undo = step(plan, "permissions").undo
    assert undo is not None
    assert isinstance(undo.action, Apply)
    assert undo.action.object["rules"] == [own]


def test_a_wider_permission_is_enough() -> None:
    every = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    urls = {"nonResourceURLs": ["/apis/*"], "verbs": ["get"]}
    short = self_managed(agent="v1.3.1", cluster_roles=[{"name": "aws-node", "rules": [every, urls]}])
    assert "permissions" not in ids(planned(short))


def test_permissions_that_come_from_elsewhere_are_not_made_up() -> None:
    plan = planned(self_managed(cluster_roles=[]))
    assert "there is no ClusterRole aws-node" in plan.refusals[0].why


def test_a_missing_agent_is_added_whole_from_the_registry_of_the_cni() -> None:
    short = self_managed(
        aws_node={"cni": "mirror.example/eks/amazon-k8s-cni:v1.20.5", "agent": None, "host_paths": {"bpf-pin-path": None}}
    )
    plan = planned(short)
    agent = containers(applied(plan, "agent"))["aws-eks-nodeagent"]
    assert agent["image"] == "mirror.example/eks/amazon/aws-network-policy-agent:v1.2.7"
    assert agent["securityContext"]["privileged"] is True
    assert "--enable-network-policy=true" in agent["args"]
    volumes = applied(plan, "agent").object["spec"]["template"]["spec"]["volumes"]
    assert {"name": "bpf-pin-path", "hostPath": {"path": "/sys/fs/bpf"}} in volumes
    undo = step(plan, "agent").undo
    assert undo is not None
    assert isinstance(undo.action, Apply)
    assert '.spec.template.spec.containers[name="aws-eks-nodeagent"]' in undo.action.drops
    assert '.spec.template.spec.volumes[name="bpf-pin-path"]' in undo.action.drops


@pytest.mark.parametrize("mode", [None, "none", ""])
def test_a_mode_that_the_agent_refuses_is_set(mode: str | None) -> None:
    short = self_managed(switch="true", aws_node={"env": {"NETWORK_POLICY_ENFORCING_MODE": mode}})
    plan = planned(short)
    assert ids(plan) == ["agent", "roll-out"], "an agent that is on ends without a mode"
    env = containers(applied(plan, "agent"))["aws-node"]["env"]
    assert env == [{"name": "NETWORK_POLICY_ENFORCING_MODE", "value": "standard"}]


def test_older_agents_are_left_without_a_mode() -> None:
    node = {"env": {"NETWORK_POLICY_ENFORCING_MODE": None}, "agent": "v1.2.3", "cni": "v1.20.0"}
    assert not planned(self_managed(agent="v1.2.3", switch="true", aws_node=node)).steps


@pytest.mark.parametrize(
    ("node", "says"),
    [
        ({"args": OFF, "agent": "@sha256:abc"}, "pinned by digest"),
        ({"args": OFF, "agent": "example.com/aws-network-policy-agent:latest"}, "'latest' names no release"),
        ({"agent": None, "cni": "@sha256:abc"}, "pinned by digest"),
        ({"agent": None, "cni": "example.com/my-cni:v1.20.5"}, "no name that AWS gives it"),
        ({"agent": None, "cni": "v1.12.6"}, "VPC CNI v1.12.6 has no network policy"),
    ],
)
def test_an_install_that_cannot_be_told_is_refused_with_what_to_do(node: Json, says: str) -> None:
    plan = planned(self_managed(aws_node=node))
    assert not plan.steps
    assert says in plan.refusals[0].why
    assert plan.refusals[0].flag == ""


@pytest.mark.parametrize("section", ["addon", "crds", "cluster_roles", "configmaps"])
def test_a_section_that_may_not_be_read_is_named(section: str) -> None:
    short = self_managed()
    if section == "configmaps":
        del short["switch"]
    short[section] = {"unread": "Forbidden"}
    with pytest.raises(Denied, match=f"{section.replace('_', ' ')}|switches"):
        planned(short)


def test_settings_of_a_person_go_where_they_belong() -> None:
    plan = planned(self_managed(), values={"nodeAgent.metricsBindAddr": "9162", "env.WARM_IP_TARGET": "5"})
    there = containers(applied(plan, "agent"))
    assert flags_of(tuple(there["aws-eks-nodeagent"]["args"]))["metrics-bind-addr"] == ":9162"
    assert there["aws-node"]["env"] == [{"name": "WARM_IP_TARGET", "value": "5"}]
    with pytest.raises(UsageError, match="tolerations is no setting"):
        planned(self_managed(), values={"tolerations": "[]"})


# --- Helm and others --------------------------------------------------------------------------------------------------


def test_a_helm_release_is_planned_like_a_manifest_and_refused_by_default() -> None:
    helm = {"meta.helm.sh/release-name": "cni", "meta.helm.sh/release-namespace": "kube-system"}
    plan = planned(self_managed(aws_node={"args": OFF, "annotations": helm}))
    assert plan.way is Way.HELM
    assert ids(plan) == ["controller-switch", "agent", "roll-out"]
    assert [r.flag for r in plan.refusals] == ["--take-over"]
    assert "Helm release cni owns" in plan.refusals[0].why
    assert "render --as helm-values" in plan.refusals[0].why
    assert any("helm upgrade cni" in a for a in plan.afterwards)


def test_a_bare_chart_label_only_seems_to_be_helms() -> None:
    plan = planned(self_managed(aws_node={"args": OFF, "labels": {"helm.sh/chart": "aws-vpc-cni-1.20.5"}}))
    assert [r.flag for r in plan.refusals] == ["--take-over"]
    assert "seems to own" in plan.refusals[0].why


@pytest.mark.parametrize(
    ("marks", "tool"),
    [
        (
            {"annotations": {"argocd.argoproj.io/tracking-id": "infra:apps/DaemonSet:kube-system/aws-node"}},
            "Argo CD application infra",
        ),
        ({"labels": {"kustomize.toolkit.fluxcd.io/name": "cni"}}, "Flux resource cni"),
        ({"managers": [owned("Terraform", ARGS)]}, "Terraform owns"),
        ({"managers": [owned("HashiCorp", ARGS)]}, "Terraform owns"),
        ({"managers": [owned("pulumi-kubernetes-1a2b", ARGS)]}, "Pulumi owns"),
    ],
)
def test_other_owners_of_the_daemonset_are_in_the_way(marks: Json, tool: str) -> None:
    plan = planned(self_managed(aws_node={"args": OFF, **marks}))
    assert [r.flag for r in plan.refusals] == ["--take-over"]
    assert tool in plan.refusals[0].why


def test_an_owner_of_what_is_not_touched_is_not_in_the_way() -> None:
    roles = self_managed()["cluster_roles"]
    roles[0]["labels"] = {"kustomize.toolkit.fluxcd.io/name": "rbac"}
    assert not planned(self_managed(cluster_roles=roles)).refusals


def test_kubectl_and_eksctl_once_wrote_it_and_own_nothing() -> None:
    plan = planned(self_managed(aws_node={"args": OFF, "managers": [owned("kubectl", ARGS), owned("eksctl", ARGS)]}))
    assert not plan.refusals


# --- every release's own manifest --------------------------------------------------------------------------------------


def enabled(objects: dict[str, Json]) -> Plan:
    return plan_enable(facts_of(objects), EnableOptions())


def with_the_feature_on(version: str) -> dict[str, Json]:
    """Return upstream's manifest with both switches on, as its chart would make it."""
    objects = manifest(version)
    objects[SETTINGS]["data"]["enable-network-policy-controller"] = "true"
    for container in objects[AWS_NODE]["spec"]["template"]["spec"]["containers"]:
        if container["name"] == "aws-eks-nodeagent":
            args = [a for a in container["args"] if not a.startswith("--enable-network-policy=")]
            container["args"] = [*args, "--enable-network-policy=true"]
    return installed(objects.values())


WITH_POLICY = [v for v in VERSIONS if f"{SETTINGS}" in manifest(v)]


@pytest.mark.parametrize("version", WITH_POLICY)
def test_every_release_ends_as_upstreams_manifest_with_the_feature_on(version: str) -> None:
    before = installed(manifest(version).values())
    plan = enabled(before)
    after = carry_out(before, plan.steps)
    assert in_effect(after) == in_effect(with_the_feature_on(version))
    assert not enabled(after).steps, "planning again finds nothing to do"


@pytest.mark.parametrize("version", WITH_POLICY)
def test_going_back_gives_every_field_its_former_value(version: str) -> None:
    before = installed(manifest(version).values())
    plan = enabled(before)
    back = undo(carry_out(before, plan.steps), plan.steps)
    assert in_effect(back) == in_effect(before)
    made = {f"customresourcedefinition/{s.action.object['metadata']['name']}" for s in plan.steps if isinstance(s.action, Create)}
    assert back.keys() - before.keys() == made, "only definitions stay behind"


@pytest.mark.parametrize("version", WITH_POLICY)
def test_an_agent_that_was_taken_out_comes_back_as_the_release_ships_it(version: str) -> None:
    objects = manifest(version)
    pod = objects[AWS_NODE]["spec"]["template"]["spec"]
    whole = copy.deepcopy(objects)
    pod["containers"] = [c for c in pod["containers"] if c["name"] != "aws-eks-nodeagent"]
    pod["volumes"] = [v for v in pod["volumes"] if v["name"] != "bpf-pin-path"]
    before = installed(objects.values())
    plan = enabled(before)
    after = carry_out(before, plan.steps)
    wanted = carry_out(installed(whole.values()), enabled(installed(whole.values())).steps)
    assert in_effect(after) == in_effect(wanted)
    assert in_effect(undo(after, plan.steps)) == in_effect(before)


def test_a_second_run_takes_nothing_of_the_first_away() -> None:
    objects = manifest("v1.20.5") if "v1.20.5" in VERSIONS else manifest(WITH_POLICY[-1])
    pod = objects[AWS_NODE]["spec"]["template"]["spec"]
    pod["containers"] = [c for c in pod["containers"] if c["name"] != "aws-eks-nodeagent"]
    first = installed(objects.values())
    first = carry_out(first, enabled(first).steps)

    def off(found: Json) -> None:
        for container in found["spec"]["template"]["spec"]["containers"]:
            if container["name"] == "aws-eks-nodeagent":
                container["args"] = ["--enable-network-policy=false"]

    changed(first, AWS_NODE, off)
    plan = enabled(first)
    after = carry_out(first, plan.steps)
    agent = next(c for c in after[AWS_NODE]["spec"]["template"]["spec"]["containers"] if c["name"] == "aws-eks-nodeagent")
    assert agent["args"] == ["--enable-network-policy=true"]
    assert agent["image"], "the container that our first run added is whole"
    assert {m["manager"] for m in after[AWS_NODE]["metadata"]["managedFields"]} >= {MANAGER, KUBECTL}


def test_the_plan_names_who_wrote_the_manifest() -> None:
    objects = installed(manifest(WITH_POLICY[0]).values())
    takes: list[Any] = [t for s in enabled(objects).steps if isinstance(s.action, Apply) for t in s.action.takes]
    assert {t.manager for t in takes} == {KUBECTL}
