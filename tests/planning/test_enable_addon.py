from __future__ import annotations

import json
from typing import Any

import pytest

from eksnetpol.errors import Denied, EksNetpolError, UsageError
from eksnetpol.facts.configuration import parse_values
from eksnetpol.model.actions import Look, UpdateAddon
from eksnetpol.model.conditions import AddonIs, All, FlagIs, Holds, RolledOut
from eksnetpol.model.plan import Plan, Way
from eksnetpol.planning.options import EnableOptions
from tests.planning.clusters import ARGS, OFF, SWITCH, addon, ids, managed, owned, planned, schema, variable


def update(plan: Plan) -> UpdateAddon:
    action = plan.steps[0].action
    assert isinstance(action, UpdateAddon)
    return action


def way_back(plan: Plan) -> UpdateAddon:
    undo = plan.steps[0].undo
    assert undo is not None
    assert isinstance(undo.action, UpdateAddon)
    assert isinstance(undo.until, AddonIs)
    assert undo.until.configuration_values == undo.action.configuration_values
    return undo.action


def told(plan: Plan) -> Any:
    return json.loads(update(plan).configuration_values)


def words(plan: Plan) -> str:
    return " ".join((*plan.warnings, *plan.facts))


def test_an_addon_that_is_off_is_updated_and_then_looked_after() -> None:
    plan = planned(managed('{"env":{"WARM_IP_TARGET":"5"}}'))
    assert plan.way is Way.ADDON
    assert ids(plan) == ["update-addon", "controller-switch", "agent", "roll-out"]
    assert told(plan) == {"env": {"WARM_IP_TARGET": "5"}, "enableNetworkPolicy": "true"}
    assert update(plan).version == "v1.20.5-eksbuild.1"
    assert update(plan).resolve_conflicts == "PRESERVE"
    assert plan.steps[0].until == AddonIs("v1.20.5-eksbuild.1", update(plan).configuration_values)
    assert [type(s.action) for s in plan.steps[1:]] == [Look, Look, Look]
    assert [type(s.until) for s in plan.steps[1:]] == [Holds, FlagIs, RolledOut]
    assert way_back(plan).configuration_values == '{"env":{"WARM_IP_TARGET":"5"}}'
    assert not plan.refusals
    assert not plan.warnings


def test_a_stored_text_in_yaml_is_understood_and_given_back_as_it_was() -> None:
    text = "env:\n  WARM_IP_TARGET: '5'\n"
    plan = planned(managed(text))
    assert told(plan) == {"env": {"WARM_IP_TARGET": "5"}, "enableNetworkPolicy": "true"}
    assert way_back(plan).configuration_values == text


def test_nothing_stored_goes_back_to_an_empty_document() -> None:
    assert way_back(planned(managed())).configuration_values == "{}"


def test_the_role_is_sent_again_and_awaited() -> None:
    role = "arn:aws:iam::111122223333:role/cni"
    plan = planned(managed(addon=addon(serviceAccountRoleArn=role)))
    assert update(plan).role_arn == role
    assert way_back(plan).role_arn == role
    assert isinstance(plan.steps[0].until, AddonIs)
    assert plan.steps[0].until.role_arn == role


def test_what_changes_is_said_field_by_field_with_its_owners() -> None:
    plan = planned(managed())
    assert [(c.where, c.path, c.before, c.after, c.owners) for c in plan.changes] == [
        ("add-on vpc-cni", "enableNetworkPolicy", None, "true", ()),
        ("configmap/kube-system/amazon-vpc-cni", SWITCH, "false", "true", ("eks",)),
        ("daemonset/kube-system/aws-node", ARGS, "--enable-network-policy=false", "--enable-network-policy=true", ("eks",)),
    ]


def test_wrong_types_in_the_stored_document_are_put_right_because_eks_would_refuse_them() -> None:
    plan = planned(managed('{"enableNetworkPolicy": false, "env": {"WARM_IP_TARGET": 5}}'))
    assert told(plan) == {"env": {"WARM_IP_TARGET": "5"}, "enableNetworkPolicy": "true"}
    assert "$.env.WARM_IP_TARGET: 5 is a number" in words(plan)
    assert "put right in what is sent" in words(plan)
    assert json.loads(way_back(plan).configuration_values) == {"env": {"WARM_IP_TARGET": "5"}, "enableNetworkPolicy": "false"}


def test_a_switch_at_the_wrong_level_is_put_right_and_said() -> None:
    plan = planned(managed('{"env": {"enableNetworkPolicy": "true"}}'))
    assert told(plan) == {"enableNetworkPolicy": "true"}
    assert "enableNetworkPolicy belongs at the top level" in words(plan)


def test_a_document_that_eks_would_refuse_whatever_we_do_is_refused_here() -> None:
    plan = planned(managed('{"nobodyKnows": "1"}'))
    assert [r.flag for r in plan.refusals] == [""]
    assert "$.nobodyKnows" in plan.refusals[0].why
    assert plan.steps, "the plan is made all the same"


def test_an_addon_too_old_for_network_policy_is_to_be_upgraded_first() -> None:
    plan = planned(managed(version="v1.13.4-eksbuild.1"))
    assert not plan.steps
    assert "eksnetpol upgrade" in plan.refusals[0].why


# --- who owns the switches ------------------------------------------------------------------------------------------


def test_a_controllers_switch_that_somebody_holds_is_overwritten() -> None:
    short = managed(
        configmaps=[{"data": {"enable-network-policy-controller": "false"}, "managers": [owned("kubectl-edit", SWITCH)]}]
    )
    plan = planned(short)
    assert update(plan).resolve_conflicts == "OVERWRITE"
    assert "owned by kubectl-edit" in words(plan)
    assert plan.forecasts[-1].where == "configmap/kube-system/amazon-vpc-cni"
    assert (plan.forecasts[-1].live, plan.forecasts[-1].told) == ("false", "true")
    assert way_back(plan).resolve_conflicts == "OVERWRITE"


def by_hand(**aws_node: Any) -> dict[str, Any]:
    """Return a managed cluster whose agent's arguments and some variables somebody changed with kubectl."""
    mine = [owned("kubectl-edit", ARGS, variable("WARM_IP_TARGET"), variable("VPC_ID"))]
    env = {"WARM_IP_TARGET": "7", "VPC_ID": "vpc-1"}
    args = {**OFF, "log-level": "info", "log-file": "/var/log/aws-routed-eni/network-policy-agent.log"}
    return managed("{}") | {"aws_node": {"args": args, "env": env, "managers": mine, **aws_node}}


def test_what_was_set_by_hand_moves_into_the_configuration_before_it_is_overwritten() -> None:
    plan = planned(by_hand())
    assert update(plan).resolve_conflicts == "OVERWRITE"
    custom = {"env": {"WARM_IP_TARGET": "7"}, "nodeAgent": {"logLevel": "info"}}
    assert told(plan) == {**custom, "enableNetworkPolicy": "true"}
    assert "env.WARM_IP_TARGET = 7" in words(plan)
    assert "VPC_ID=vpc-1" in words(plan), "there is no key for it, so it is named as lost"
    assert "no key for them" in words(plan)
    back = json.loads(way_back(plan).configuration_values)
    assert back == custom, "going back must not lose what lives nowhere else any more"


def test_a_live_value_counts_over_a_stored_one_that_never_arrived() -> None:
    short = by_hand()
    short["addon"] = addon('{"env":{"WARM_IP_TARGET":"2"}}')
    assert told(planned(short))["env"] == {"WARM_IP_TARGET": "7"}


def test_preserve_folds_nothing_in_because_nothing_is_lost() -> None:
    short = managed() | {"aws_node": {"args": OFF, "env": {"WARM_IP_TARGET": "7"}, "managers": [
        owned("eks", ARGS), owned("kubectl-edit", variable("WARM_IP_TARGET"))]}}  # fmt: skip
    plan = planned(short)
    assert update(plan).resolve_conflicts == "PRESERVE"
    assert told(plan) == {"enableNetworkPolicy": "true"}


@pytest.mark.parametrize(("mode", "says"), [("PRESERVE", "nothing would be enforced"), ("NONE", "the update would fail")])
def test_a_mode_that_cannot_work_is_done_as_asked_and_warned_of(mode: Any, says: str) -> None:
    plan = planned(by_hand(), resolve=mode)
    assert update(plan).resolve_conflicts == mode
    assert says in words(plan)
    assert "OVERWRITE sets them" in words(plan)


@pytest.mark.parametrize("short", [managed(), by_hand()])
def test_none_is_never_chosen_by_itself(short: dict[str, Any]) -> None:
    assert update(planned(short)).resolve_conflicts != "NONE"


def test_owners_that_were_not_read_are_said_not_to_be() -> None:
    plan = planned(managed() | {"aws_node": {"args": OFF}})
    assert "who owns the fields was not read" in words(plan)


# --- half and wholly on ---------------------------------------------------------------------------------------------


def test_what_is_on_needs_no_steps() -> None:
    on = managed('{"enableNetworkPolicy":"true"}') | {
        "aws_node": {},
        "configmaps": [{"data": {"enable-network-policy-controller": "true"}}],
    }
    plan = planned(on)
    assert not plan.steps
    assert not plan.changes
    assert not plan.refusals
    assert not plan.warnings
    assert plan.isolates == ()


def test_what_is_on_by_hand_is_told_to_the_addon() -> None:
    on = managed() | {"aws_node": {}, "configmaps": [{"data": {"enable-network-policy-controller": "true"}}]}
    plan = planned(on)
    assert told(plan) == {"enableNetworkPolicy": "true"}
    assert "its next update may switch it off" in words(plan)
    assert plan.steps[0].undo is None, "the former configuration would switch off what was on before"
    assert plan.steps[0].one_way


def test_an_addon_that_was_told_and_never_did_is_overwritten() -> None:
    plan = planned(managed('{"enableNetworkPolicy":"true"}'))
    assert update(plan).resolve_conflicts == "OVERWRITE"
    assert "somebody changed the live objects" in words(plan)
    back = json.loads(way_back(plan).configuration_values)
    assert back == {"enableNetworkPolicy": "false"}, "going back must not leave more on than there was"
    assert isinstance(plan.steps[0].until, All), "the add-on says so already: only the live objects can tell"


def test_a_missing_mode_is_set_where_the_agent_would_end_without_it() -> None:
    short = managed() | {
        "aws_node": {"args": OFF, "env": {"NETWORK_POLICY_ENFORCING_MODE": None}, "managers": [owned("eks", ARGS)]}
    }
    assert told(planned(short))["env"] == {"NETWORK_POLICY_ENFORCING_MODE": "standard"}
    short["aws_node"]["agent"] = "v1.2.3"
    assert "env" not in told(planned(short)), "older agents do without"


def test_a_persons_own_settings_are_set_with_the_switch() -> None:
    plan = planned(managed(), values={"nodeAgent.logLevel": "info", "livenessProbeTimeoutSeconds": "20"})
    assert told(plan) == {"enableNetworkPolicy": "true", "nodeAgent": {"logLevel": "info"}, "livenessProbeTimeoutSeconds": 20}


def test_a_setting_that_this_version_has_not_is_an_error_with_the_way_to_those_it_has() -> None:
    with pytest.raises(UsageError, match=r"nodeAgent\.nothing; .*describe-addon-configuration"):
        planned(managed(), values={"nodeAgent.nothing": "1"})


# --- what is not known, and who is in the way ------------------------------------------------------------------------


@pytest.mark.parametrize("section", ["addon", "addon_schema", "daemonsets", "configmaps", "cluster"])
def test_a_section_that_may_not_be_read_is_named_with_the_permission(section: str) -> None:
    short = managed()
    if section == "daemonsets":
        del short["aws_node"]
    short[section] = {"unread": "Forbidden"}
    with pytest.raises(Denied, match="Forbidden"):
        planned(short)


def test_the_schema_of_another_version_is_none() -> None:
    with pytest.raises(EksNetpolError, match="DescribeAddonConfiguration"):
        planned(managed() | {"addon_schema": schema("v1.19.2-eksbuild.1")})


def test_values_that_nobody_can_read_are_never_replaced() -> None:
    with pytest.raises(EksNetpolError, match="configuration values cannot be read"):
        planned(managed("{broken"))


@pytest.mark.parametrize("status", ["CREATING", "UPDATING", "DELETING"])
def test_an_addon_that_is_being_changed_is_waited_for(status: str) -> None:
    plan = planned(managed() | {"addon": addon(status=status)})
    assert [r.flag for r in plan.refusals] == [""]
    assert status in plan.refusals[0].why
    assert "wait" in plan.refusals[0].why


def test_an_update_in_progress_is_waited_for_by_its_id() -> None:
    plan = planned(managed(addon_updates=[{"id": "u-7", "status": "InProgress"}]))
    assert "update u-7" in plan.refusals[0].why


def test_a_cluster_that_is_being_updated_is_waited_for() -> None:
    short = managed()
    short["cluster"] = {**short["cluster"], "status": "UPDATING"}
    assert "the cluster is UPDATING" in planned(short).refusals[0].why


def test_an_addon_that_never_came_up_is_to_be_made_anew() -> None:
    issues = {"issues": [{"code": "ConfigurationConflict", "message": "conflicts found"}]}
    plan = planned(managed() | {"addon": addon(status="CREATE_FAILED", health=issues)})
    assert "ConfigurationConflict: conflicts found" in plan.refusals[0].why
    assert "--preserve" in plan.refusals[0].why


@pytest.mark.parametrize(
    ("status", "says"), [("DEGRADED", "DEGRADED (AccessDenied: "), ("UPDATE_FAILED", "last update of the add-on failed")]
)
def test_an_addon_that_is_not_well_may_be_changed_with_a_warning(status: str, says: str) -> None:
    plan = planned(managed() | {"addon": addon(status=status, health={"issues": [{"code": "AccessDenied"}]})})
    assert not plan.refusals
    assert says in words(plan)


@pytest.mark.parametrize(
    ("tags", "tool", "form"),
    [
        ({"aws:cloudformation:stack-name": "infra"}, "CloudFormation stack infra owns", "cloudformation"),
        ({"aws:cloudformation:stack-name": "eksctl-prod-addon-vpc-cni"}, "eksctl stack", "eksctl"),
        ({"alpha.eksctl.io/cluster-name": "prod"}, "eksctl owns", "eksctl"),
        ({"ManagedBy": "Terraform"}, "Terraform seems to own", "terraform"),
        ({"terraform": "true"}, "Terraform seems to own", "terraform"),
    ],
)
def test_a_foreign_owner_of_the_addon_is_told_of_and_can_be_overruled(tags: dict[str, str], tool: str, form: str) -> None:
    plan = planned(managed() | {"addon": addon(tags=tags)})
    assert [r.flag for r in plan.refusals] == ["--take-over"]
    assert tool in plan.refusals[0].why
    assert f"eksnetpol render --as {form}" in plan.refusals[0].why
    assert plan.steps


def test_the_helm_labels_that_eks_itself_makes_are_no_owner() -> None:
    short = managed()
    short["aws_node"]["labels"] = {"app.kubernetes.io/managed-by": "Helm", "helm.sh/chart": "aws-vpc-cni-1.20.5"}
    assert not planned(short).refusals


def test_an_application_of_argo_cd_that_writes_the_switch_is_an_owner() -> None:
    short = managed(
        configmaps=[{"data": {"enable-network-policy-controller": "false"}, "managers": [owned("argocd-controller", SWITCH)]}]
    )
    plan = planned(short)
    assert [r.flag for r in plan.refusals] == ["--take-over"]
    assert "field manager argocd-controller" in plan.refusals[0].why


def test_strict_mode_is_warned_of_with_the_number_of_pods_that_close() -> None:
    short = managed(pods=[{"name": "a"}, {"name": "b"}, {"name": "h", "host_network": True}])
    short["aws_node"]["env"] = {"NETWORK_POLICY_ENFORCING_MODE": "strict"}
    assert "the enforcing mode is strict: 2 pods" in words(planned(short))


def test_options_left_out_are_their_defaults() -> None:
    assert EnableOptions() == EnableOptions(adopt=False, resolve=None, values={})
    assert parse_values(update(planned(managed())).configuration_values) == {"enableNetworkPolicy": "true"}
