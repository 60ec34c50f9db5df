from __future__ import annotations

import json
from typing import Any

import pytest

from eksnetpol.errors import Denied, EksNetpolError
from eksnetpol.model.actions import CreateAddon, DeleteAddon, UpdateAddon
from eksnetpol.model.conditions import AddonGone
from eksnetpol.model.plan import Plan, Way
from eksnetpol.planning.adopt import version_to_adopt
from eksnetpol.planning.enable import plan_enable
from eksnetpol.planning.options import EnableOptions
from tests.planning.clusters import ARGS, OFF, adoptable, facts_of, ids, managed, owned, planned, variable

Json = dict[str, Any]


def made(plan: Plan) -> CreateAddon:
    action = plan.steps[0].action
    assert isinstance(action, CreateAddon)
    return action


def test_the_addon_is_made_as_things_are_and_then_told_to_enforce() -> None:
    plan = planned(adoptable(), adopt=True)
    assert plan.way is Way.ADDON
    assert ids(plan) == ["create-addon", "update-addon", "controller-switch", "agent", "roll-out"]
    assert made(plan).version == "v1.20.5-eksbuild.3", "the newest build of what runs"
    assert made(plan).resolve_conflicts == "OVERWRITE"
    assert json.loads(made(plan).configuration_values)["enableNetworkPolicy"] == "false"
    update = plan.steps[1].action
    assert isinstance(update, UpdateAddon)
    assert json.loads(update.configuration_values)["enableNetworkPolicy"] == "true"
    assert update.resolve_conflicts == "OVERWRITE", "whoever wrote aws-node before still owns what EKS left as it was"
    undo = plan.steps[0].undo
    assert undo is not None
    assert undo.action == DeleteAddon(preserve=True)
    assert undo.until == AddonGone()
    assert not plan.refusals


def test_the_very_build_that_runs_is_taken_where_it_is_offered() -> None:
    short = adoptable(aws_node={"args": OFF, "cni": "v1.20.5-eksbuild.1"})
    assert made(planned(short, adopt=True)).version == "v1.20.5-eksbuild.1"
    assert version_to_adopt(facts_of(short)) == "v1.20.5-eksbuild.1"


def test_what_is_on_stays_on_in_one_step() -> None:
    plan = planned(adoptable(switch="true", aws_node={"cni": "v1.20.5"}), adopt=True)
    assert ids(plan) == ["create-addon", "controller-switch", "agent", "roll-out"]
    assert json.loads(made(plan).configuration_values)["enableNetworkPolicy"] == "true"


def test_live_settings_become_the_configuration_and_what_is_lost_is_named() -> None:
    mine = [owned("kubectl", ARGS, variable("WARM_IP_TARGET"), variable("VPC_ID"))]
    node = {"cni": "v1.20.5", "args": OFF, "env": {"WARM_IP_TARGET": "9", "VPC_ID": "vpc-7"}, "managers": mine}
    plan = planned(adoptable(aws_node=node), adopt=True)
    assert json.loads(made(plan).configuration_values)["env"] == {"WARM_IP_TARGET": "9"}
    assert any("VPC_ID=vpc-7" in w for w in plan.warnings)


def test_the_role_of_the_service_account_is_kept() -> None:
    role = "arn:aws:iam::111122223333:role/cni"
    account = {"name": "aws-node", "namespace": "kube-system", "annotations": {"eks.amazonaws.com/role-arn": role}}
    plan = planned(adoptable() | {"service_accounts": [account]}, adopt=True)
    assert made(plan).role_arn == role
    assert any(role in f for f in plan.facts)


def test_a_pod_identity_association_is_left_alone() -> None:
    identity = {"namespace": "kube-system", "serviceAccount": "aws-node"}
    plan = planned(adoptable() | {"pod_identities": [identity]}, adopt=True)
    assert made(plan).pod_identity_role == ""
    assert made(plan).role_arn == ""
    assert any("Pod Identity association stays" in f for f in plan.facts)


def test_a_release_that_eks_does_not_offer_goes_by_way_of_upgrade() -> None:
    plan = planned(adoptable(aws_node={"args": OFF, "cni": "v1.18.1", "agent": "v1.1.1"}), adopt=True)
    assert not plan.steps
    assert "eksnetpol upgrade" in plan.refusals[0].why
    assert version_to_adopt(facts_of(adoptable(aws_node={"cni": "v1.18.1"}))) == ""


@pytest.mark.parametrize(
    ("short", "says"),
    [
        (managed(), "leave --adopt out"),
        (adoptable(aws_node={"annotations": {"meta.helm.sh/release-name": "cni"}}), "Helm release cni"),
        (adoptable(aws_node={"cni": "@sha256:abc"}), "pinned by digest"),
        (adoptable(aws_node=None), "another CNI serves them"),
    ],
)
def test_what_cannot_be_adopted_is_refused_for_good(short: Json, says: str) -> None:
    plan = planned(short, adopt=True)
    assert not plan.steps
    assert [r.flag for r in plan.refusals] == [""]
    assert says in plan.refusals[0].why


def test_the_helm_labels_that_eks_itself_makes_are_no_release() -> None:
    labels = {"app.kubernetes.io/managed-by": "Helm", "helm.sh/chart": "aws-vpc-cni-1.20.5"}
    plan = planned(adoptable(aws_node={"args": OFF, "cni": "v1.20.5", "labels": labels}), adopt=True)
    assert ids(plan)[0] == "create-addon"
    assert not plan.refusals
    assert any("names no release" in w for w in plan.warnings)


def test_an_empty_cluster_gets_eks_default() -> None:
    plan = planned(adoptable(aws_node=None, nodes=[]), adopt=True)
    assert made(plan).version == "v1.19.2-eksbuild.1"
    assert plan.rollout is None


def test_nothing_installed_wants_to_be_told_to_install() -> None:
    plan = planned(adoptable(aws_node=None, nodes=[]))
    assert not plan.steps
    assert plan.way is None
    assert "eksnetpol enable --adopt" in plan.refusals[0].why


def test_without_the_schema_of_the_version_nothing_is_guessed() -> None:
    with pytest.raises(EksNetpolError, match="DescribeAddonConfiguration"):
        plan_enable(facts_of(adoptable()), EnableOptions(adopt=True))


@pytest.mark.parametrize("section", ["addon_releases", "service_accounts", "pod_identities"])
def test_a_section_that_may_not_be_read_is_named(section: str) -> None:
    with pytest.raises(Denied, match=section.replace("_", " ")):
        planned(adoptable() | {section: {"unread": "Forbidden"}}, adopt=True)
