"""What commands need is what the gateways declare, what is shipped, and what may leave at all."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import ClassVar

import pytest
import yaml

from eksnetpol.errors import Bug
from eksnetpol.facts.status import SECTIONS
from eksnetpol.gateways import permits
from eksnetpol.gateways.aws import Aws
from eksnetpol.gateways.aws_door import AwsDoor
from eksnetpol.gateways.kubernetes import KubernetesApi
from eksnetpol.gateways.kubernetes_lists import Resource
from eksnetpol.gateways.permit_documents import MIGRATOR, Place, cluster_role, iam_policy, partition_of, shipped_documents
from eksnetpol.gateways.permits import IamPermission, permissions_for, rbac
from eksnetpol.interfaces import AwsGateway, KubernetesGateway
from eksnetpol.interfaces.acting import Hands
from eksnetpol.model.snapshot import Target
from tests.gateways.scripted import kubernetes_at, page, scripted

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("gateway", "implementation"), [(AwsGateway, Aws), (KubernetesGateway, KubernetesApi)])
def test_every_verb_declares_what_it_needs(gateway: type, implementation: type) -> None:
    declared = {need.verb for need in permits.table()}
    verbs = [name for name, _ in inspect.getmembers(gateway, inspect.isfunction) if not name.startswith("_")]
    assert verbs
    for verb in verbs:
        function = getattr(implementation, verb)
        assert f"{function.__module__}.{function.__qualname__}" in declared


def test_every_declaration_is_a_verb_of_a_gateway() -> None:
    gateways = (AwsGateway, KubernetesGateway, Hands)
    verbs = {name for gateway in gateways for name, _ in inspect.getmembers(gateway, inspect.isfunction)}
    assert {need.verb.rsplit(".", 1)[-1] for need in permits.table()} <= verbs


def test_everything_hands_do_is_declared_for_the_commands_that_change() -> None:
    by_verb: dict[str, set[str]] = {}
    for need in permits.table():
        by_verb.setdefault(need.verb.rsplit(".", 1)[-1], set()).update(need.commands)
    for verb in (name for name, _ in inspect.getmembers(Hands, inspect.isfunction) if not name.startswith("_")):
        # Policies are patched and deleted, and nothing else is: the other commands have no use for that. Nodes are drained by
        # migrations alone.
        few = {"patch": permits.POLICY_CHANGING, "delete": permits.POLICY_CHANGING, "evict": permits.MIGRATING,
               "pods_on": permits.MIGRATING}  # fmt: skip
        expected = few.get(verb, permits.CHANGING)
        assert by_verb[verb] >= set(expected), verb


@pytest.mark.parametrize(
    "path",
    [
        "iam/preflight-read.json",
        "iam/addon-manage.json",
        "templates/rbac/clusterrole-read.yaml",
        "templates/rbac/clusterrole-manage.yaml",
        "templates/rbac/clusterrole-migrate.yaml",
    ],
)
def test_shipped_documents_are_what_the_table_says(path: str) -> None:
    text = shipped_documents()[path]
    assert (ROOT / path).read_text(encoding="utf-8") == text, f"{path} lags behind; write shipped_documents() into it"


def test_a_migration_asks_aws_for_no_more_than_a_change_of_the_addon() -> None:
    assert set(permissions_for(*permits.MIGRATING).iam) <= set(permissions_for(*permits.CHANGING).iam)


def test_looking_asks_for_nothing_that_changes_anything() -> None:
    needed = permissions_for("preflight")
    reading = ("Describe", "List", "Get", "Simulate")
    assert [p.action for p in needed.iam if not p.action.split(":")[1].startswith(reading)] == []
    changing = [str(p) for p in needed.rbac if p.verb not in {"get", "list"}]
    assert changing == ["create subjectaccessreviews.authorization.k8s.io"]


@pytest.mark.parametrize("command", ["enable", "upgrade"])
def test_turning_policy_on_touches_no_policy(command: str) -> None:
    changing = [p for p in permissions_for(command).rbac if p.verb not in {"get", "list", "watch"}]
    assert changing
    assert [str(p) for p in changing if "polic" in p.resource] == []
    assert [str(p) for p in changing if p.verb == "delete"] == []


def test_what_is_written_is_written_by_name_wherever_it_has_one() -> None:
    changing = [p for p in permissions_for(*permits.CHANGING).rbac if p.verb not in {"get", "list", "watch"}]
    assert {str(p) for p in changing if not p.names and "polic" not in p.resource} == {
        # RBAC has no names for what is created by POST, and NodeClasses are called as their owner likes.
        "create customresourcedefinitions.apiextensions.k8s.io",
        "create leases.coordination.k8s.io",
        "create subjectaccessreviews.authorization.k8s.io",
        "patch nodeclasses.eks.amazonaws.com",
    }
    leases = {p.namespace for p in permissions_for("enable").rbac if p.resource == "leases"}
    assert leases == {"kube-system"}


def test_only_the_addon_of_the_vpc_cni_is_changed() -> None:
    policy = json.loads(iam_policy(permissions_for(*permits.CHANGING)))
    by_action = {action: s["Resource"] for s in policy["Statement"] for action in s["Action"]}
    assert {by_action[f"eks:{verb}Addon"] for verb in ("Update", "Delete")} == {permits.VPC_CNI}
    assert by_action["eks:CreateAddon"] == permits.CLUSTER
    changing = {a for a in by_action if not a.split(":")[1].startswith(("Describe", "List", "Get", "Simulate"))}
    assert changing == {
        "eks:CreateAddon",
        "eks:CreatePodIdentityAssociation",
        "eks:DeleteAddon",
        "eks:TagResource",
        "eks:UpdateAddon",
        "iam:PassRole",
    }
    sids = [s["Sid"] for s in policy["Statement"]]
    assert len(set(sids)) == len(sids)


def test_a_role_has_its_namespaced_part_in_that_namespace() -> None:
    documents = list(yaml.safe_load_all(cluster_role(permissions_for("enable"), group="deployers")))
    assert [d["kind"] for d in documents] == ["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"]
    assert {d["metadata"]["name"] for d in documents} == {"eksnetpol-manage"}
    assert {d["metadata"].get("namespace") for d in documents[2:]} == {"kube-system"}
    assert [d["subjects"][0]["name"] for d in documents if "subjects" in d] == ["deployers", "deployers"]
    rules = {r["resources"][0]: r for r in documents[2]["rules"]}
    assert rules["daemonsets"] == {
        "apiGroups": ["apps"],
        "resources": ["daemonsets"],
        "resourceNames": ["aws-node"],
        "verbs": ["get", "patch", "watch"],
    }


def test_a_status_may_read_what_it_reads_and_nothing_else() -> None:
    verbs = {need.verb.rsplit(".", 1)[-1] for need in permits.table() if "status" in need.commands}
    sections = {"cluster": "describe_cluster", "addon": "describe_addon"}
    assert verbs - {"caller"} == {sections.get(name, name) for name in SECTIONS}
    assert set(permissions_for("status").rbac) < set(permissions_for("preflight").rbac)


def test_secrets_are_never_read() -> None:
    assert not [p for p in permissions_for(*permits.commands()).rbac if p.resource in {"secrets", "*"} and not p.group]


def test_a_command_that_needs_nothing_is_no_command_of_the_table() -> None:
    assert set(permits.commands()) >= {"preflight", "snapshot save", "permissions check"}
    with pytest.raises(KeyError):
        permissions_for("checks list")


def test_the_policy_is_scoped_where_the_action_can_be() -> None:
    place = Place(partition="aws-us-gov", region="us-gov-west-1", account="123456789012", cluster="prod")
    policy = json.loads(iam_policy(permissions_for("preflight"), place))
    by_action = {action: s["Resource"] for s in policy["Statement"] for action in s["Action"]}
    assert by_action["eks:DescribeCluster"] == "arn:aws-us-gov:eks:us-gov-west-1:123456789012:cluster/prod"
    assert by_action["eks:DescribeAddon"] == "arn:aws-us-gov:eks:us-gov-west-1:123456789012:addon/prod/*"
    assert by_action["eks:DescribeAddonVersions"] == "*"
    assert "${" not in json.dumps(policy)
    sids = [s["Sid"] for s in policy["Statement"]]
    assert len(set(sids)) == len(sids)
    assert all(sid.isalnum() for sid in sids)


def test_what_is_not_known_of_the_place_stays_a_placeholder() -> None:
    text = iam_policy(permissions_for("preflight"), Place.of(Target(region="cn-north-1")))
    assert "arn:aws-cn:eks:cn-north-1:${Account}:cluster/${Cluster}" in text


def test_partitions() -> None:
    regions = ("us-west-2", "cn-northwest-1", "us-gov-east-1", "")
    assert [partition_of(r) for r in regions] == ["aws", "aws-cn", "aws-us-gov", ""]


def test_the_cluster_role_binds_the_group_that_is_named() -> None:
    role, binding = yaml.safe_load_all(cluster_role(permissions_for("preflight"), "reader", "auditors"))
    assert role["metadata"]["name"] == binding["roleRef"]["name"] == "reader"
    assert binding["subjects"] == [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "auditors"}]
    named = [r for r in role["rules"] if r.get("resources") == ["configmaps"]]
    assert all("resourceNames" in rule for rule in named)
    assert {verb for rule in named for verb in rule["verbs"]} == {"get", "list"}


# --- nothing leaves that is not declared ------------------------------------------------------------------------------


def test_an_undeclared_call_of_aws_does_not_leave() -> None:
    class Client:
        class meta:  # noqa: N801 - botocore's own name
            method_to_api_mapping: ClassVar = {"delete_cluster": "DeleteCluster"}

        def delete_cluster(self) -> None:
            raise AssertionError("left")

    with pytest.raises(Bug) as caught:
        AwsDoor(lambda _: Client()).call("eks", "DeleteCluster")
    assert "eks:DeleteCluster" in str(caught.value)


def test_an_undeclared_request_to_the_api_server_does_not_leave() -> None:
    with scripted(lambda _: page([])) as server:
        api = kubernetes_at(server.url).api
        for permission in (rbac("list", "secrets"), rbac("delete", "pods"), rbac("list", "nodes", "metrics.k8s.io")):
            with pytest.raises(Bug):
                api.get(Resource("secrets").path(), permission)
    assert server.seen == []


def test_a_wildcard_declaration_covers_its_group_alone() -> None:
    permits.rbac_is_declared(rbac("list", "k8srequiredlabels", "constraints.gatekeeper.sh"))
    with pytest.raises(Bug):
        permits.rbac_is_declared(rbac("list", "k8srequiredlabels", "templates.gatekeeper.sh"))


def test_what_a_permission_is_called() -> None:
    assert [str(p) for p in (rbac("list", "pods"), rbac("list", "jobs", "batch"), rbac("get", path="/version"))] == [
        "list pods",
        "list jobs.batch",
        "get /version",
    ]
    assert str(IamPermission("eks:DescribeAddon")) == "eks:DescribeAddon"


@pytest.mark.parametrize("command", permits.FORESEEING)
def test_whoever_foresees_a_migration_needs_no_more_than_the_role_for_reading(command: str) -> None:
    assert permissions_for(command) == permissions_for("preflight")


@pytest.mark.parametrize("command", permits.MIGRATING)
def test_each_command_that_migrates_has_the_role_that_is_shipped(command: str) -> None:
    shipped = shipped_documents()["templates/rbac/clusterrole-migrate.yaml"]
    assert cluster_role(permissions_for(command), MIGRATOR) == shipped
