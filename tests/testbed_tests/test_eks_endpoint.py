"""The EKS endpoint answers a foreign client, the AWS CLI, and keeps to AWS's own model both ways."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.client import RemoteDisconnected
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

from eksnetpol.simulation import eks as rules
from eksnetpol.simulation import eks_changes, eks_settling
from tests.testbed import service_model as sm
from tests.testbed.eks_endpoint import DEAD, EksEndpoint, Fault, eks_addon, eks_cluster, one_cluster, serving

pytestmark = pytest.mark.testbed

Aws = Callable[..., subprocess.CompletedProcess[str]]
CLUSTER = eks_cluster("shop")
SETTLES = rules.Timing().settles
OFFERED = ("v1.23.0-eksbuild.1", "v1.22.4-eksbuild.1", "v1.20.5-eksbuild.1")


def after(eks: rules.Eks, now: datetime) -> rules.Eks:
    """Return the state at *now*, when time has passed step by step."""
    for second in range(21):
        eks = eks_settling.drive(eks, now - SETTLES + timedelta(seconds=second))
    return eks


@pytest.fixture
def endpoint() -> Iterator[EksEndpoint]:
    service = one_cluster(
        CLUSTER,
        addon=eks_addon(CLUSTER, configurationValues='{"enableNetworkPolicy":"true"}'),
        offered=OFFERED,
        nodegroups=tuple({"nodegroupName": f"group-{i}", "clusterName": "shop", "status": "ACTIVE"} for i in range(5)),
        fargate_profiles=({"fargateProfileName": "batch", "status": "ACTIVE", "selectors": [{"namespace": "batch"}]},),
        pod_identities=(
            {"clusterName": "shop", "namespace": "kube-system", "serviceAccount": "aws-node", "associationId": "a-1"},
        ),
        insights=({"id": "i-1", "name": "Deprecated APIs", "category": "UPGRADE_READINESS"},),
    )
    with serving(EksEndpoint(service)) as served:
        yield served


@pytest.fixture
def aws(endpoint: EksEndpoint) -> Aws:
    env = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    env |= {"AWS_ENDPOINT_URL_EKS": endpoint.url, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    env |= {"AWS_DEFAULT_REGION": "us-west-2", "AWS_MAX_ATTEMPTS": "1"}
    program = Path(sys.executable).with_name("aws")

    def call(*args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([program, "eks", *args, "--output", "json"], env=env, capture_output=True, text=True, check=False)

    return call


@pytest.mark.parametrize(
    ("command", "member"),
    [
        (["describe-cluster", "--name", "shop"], "cluster"),
        (["list-clusters"], "clusters"),
        (["list-addons", "--cluster-name", "shop"], "addons"),
        (["describe-addon", "--cluster-name", "shop", "--addon-name", "vpc-cni"], "addon"),
        (["describe-addon-versions", "--addon-name", "vpc-cni", "--kubernetes-version", "1.33"], "addons"),
        (["describe-addon-configuration", "--addon-name", "vpc-cni", "--addon-version", OFFERED[0]], "configurationSchema"),
        (["list-nodegroups", "--cluster-name", "shop"], "nodegroups"),
        (["describe-nodegroup", "--cluster-name", "shop", "--nodegroup-name", "group-1"], "nodegroup"),
        (["list-fargate-profiles", "--cluster-name", "shop"], "fargateProfileNames"),
        (["describe-fargate-profile", "--cluster-name", "shop", "--fargate-profile-name", "batch"], "fargateProfile"),
        (["list-pod-identity-associations", "--cluster-name", "shop"], "associations"),
        (["describe-pod-identity-association", "--cluster-name", "shop", "--association-id", "a-1"], "association"),
        (["list-updates", "--name", "shop", "--addon-name", "vpc-cni"], "updateIds"),
        (["list-insights", "--cluster-name", "shop"], "insights"),
        (["describe-insight", "--cluster-name", "shop", "--id", "i-1"], "insight"),
        (["describe-cluster-versions"], "clusterVersions"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_the_aws_cli_is_answered(aws: Aws, command: list[str], member: str) -> None:
    done = aws(*command)
    assert done.returncode == 0, done.stderr
    assert member in json.loads(done.stdout)


def test_lists_are_paged_and_the_pages_make_the_whole(aws: Aws, endpoint: EksEndpoint) -> None:
    endpoint.page_size = 2
    done = aws("list-nodegroups", "--cluster-name", "shop")
    assert json.loads(done.stdout)["nodegroups"] == [f"group-{i}" for i in range(5)]
    assert endpoint.calls == ["ListNodegroups"] * 3


def test_what_is_missing_is_not_found(aws: Aws) -> None:
    done = aws("describe-addon", "--cluster-name", "shop", "--addon-name", "coredns")
    assert "ResourceNotFoundException" in done.stderr


def test_a_boolean_is_no_configuration_value(aws: Aws) -> None:
    values = '{"enableNetworkPolicy": true}'
    done = aws("update-addon", "--cluster-name", "shop", "--addon-name", "vpc-cni", "--configuration-values", values)
    assert "InvalidParameterException" in done.stderr
    assert "enableNetworkPolicy" in done.stderr


def test_an_update_is_pending_then_settles_and_only_one_runs(aws: Aws, endpoint: EksEndpoint) -> None:
    now = [datetime(2026, 1, 1, tzinfo=UTC)]
    endpoint.clock = lambda: now[0]
    update = ("update-addon", "--cluster-name", "shop", "--addon-name", "vpc-cni", "--addon-version", OFFERED[0])
    number = json.loads(aws(*update, "--resolve-conflicts", "OVERWRITE").stdout)["update"]["id"]
    assert "ResourceInUseException" in aws(*update).stderr
    describe = ("describe-update", "--name", "shop", "--addon-name", "vpc-cni", "--update-id", number)
    assert json.loads(aws(*describe).stdout)["update"]["status"] == "InProgress"
    now[0] += SETTLES + timedelta(seconds=1)
    assert json.loads(aws(*describe).stdout)["update"]["status"] == "Successful"
    addon = json.loads(aws("describe-addon", "--cluster-name", "shop", "--addon-name", "vpc-cni").stdout)["addon"]
    assert (addon["status"], addon["addonVersion"]) == ("ACTIVE", OFFERED[0])
    assert addon["configurationValues"] == '{"enableNetworkPolicy":"true"}'


def test_configuration_is_replaced_not_merged(endpoint: EksEndpoint) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    wanted = {"configurationValues": '{"enableWindowsIpam":"true"}'}
    changed, _ = eks_changes.update_addon(endpoint.eks, "shop", "vpc-cni", wanted, now)
    settled = after(changed, now + SETTLES)
    assert settled.addon("shop", "vpc-cni")["configurationValues"] == wanted["configurationValues"]


def test_an_add_on_can_be_created_and_deleted(endpoint: EksEndpoint) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    deleted, _ = eks_changes.delete_addon(endpoint.eks, "shop", "vpc-cni", now)
    gone = after(deleted, now + SETTLES)
    with pytest.raises(rules.EksError, match="No addon"):
        gone.addon("shop", "vpc-cni")
    created, answer = eks_changes.create_addon(gone, "shop", {"addonName": "vpc-cni", "addonVersion": OFFERED[1]}, now)
    assert answer["status"] == "CREATING"
    assert after(created, now + SETTLES).addon("shop", "vpc-cni")["status"] == "ACTIVE"


def test_a_version_nobody_offers_is_refused(aws: Aws) -> None:
    done = aws("update-addon", "--cluster-name", "shop", "--addon-name", "vpc-cni", "--addon-version", "v9.9.9-eksbuild.1")
    assert "not supported" in done.stderr


@pytest.mark.parametrize(
    ("status", "code"), [(403, "AccessDeniedException"), (429, "ThrottlingException"), (500, "ServerException")]
)
def test_faults_reach_the_client_under_their_names(aws: Aws, endpoint: EksEndpoint, status: int, code: str) -> None:
    endpoint.faults["DescribeCluster"] = Fault(status, code, "so it was asked")
    done = aws("describe-cluster", "--name", "shop")
    assert done.returncode != 0
    assert code in done.stderr


def test_a_fault_can_pass(aws: Aws, endpoint: EksEndpoint) -> None:
    endpoint.faults["DescribeCluster"] = Fault(500, "ServerException", times=1)
    assert aws("describe-cluster", "--name", "shop").returncode != 0
    assert aws("describe-cluster", "--name", "shop").returncode == 0


def test_an_unsigned_request_is_refused(endpoint: EksEndpoint) -> None:
    with pytest.raises(HTTPError) as refused:
        urllib.request.urlopen(f"{endpoint.url}/clusters/shop")  # noqa: S310 - the endpoint of this test
    assert refused.value.code == 403
    refused.value.close()


def signed(endpoint: EksEndpoint, path: str, body: bytes | None = None) -> Any:
    headers = {"Authorization": "AWS4-HMAC-SHA256 Credential=a/20260101/us-west-2/eks/aws4_request"}
    return urllib.request.Request(f"{endpoint.url}{path}", data=body, headers=headers)  # noqa: S310 - as above


@pytest.mark.parametrize("request_of", [("/clusters/shop/addons?colour=red", None), ("/clusters/shop/insights", b'{"colour":1}')])
def test_a_member_the_model_does_not_have_is_refused(endpoint: EksEndpoint, request_of: tuple[str, bytes | None]) -> None:
    with pytest.raises(HTTPError) as refused:
        urllib.request.urlopen(signed(endpoint, *request_of))  # noqa: S310 - as above
    assert refused.value.code == 400
    assert b"no member colour" in refused.value.read()
    refused.value.close()


@pytest.mark.parametrize(
    ("members", "complaint"),
    [({"colour": "red"}, "unknown"), ({"status": "SLEEPY"}, "none of"), ({"version": 1.33}, "no string")],
    ids=["unknown member", "unknown enum value", "wrong type"],
)
def test_the_endpoint_cannot_answer_what_the_model_does_not_have(members: dict[str, Any], complaint: str) -> None:
    shape = sm.load("eks").operation_model("DescribeCluster").output_shape
    with pytest.raises(sm.NotOfTheModel, match=complaint):
        sm.answer(shape, {"cluster": eks_cluster("shop", **members)})


def test_an_answer_out_of_the_model_is_an_error_of_the_endpoint(aws: Aws, endpoint: EksEndpoint) -> None:
    strange = rules.EksCluster(cluster=eks_cluster("shop", colour="red"))
    endpoint.eks = replace(endpoint.eks, clusters={"shop": strange})
    complaint = aws("describe-cluster", "--name", "shop").stderr
    assert "ServerException" in complaint
    assert "unknown ['colour']" in complaint


@pytest.mark.parametrize(
    ("path", "body", "why"),
    [
        ("/clusters?maxResults=101", None, b"more than 100"),
        ("/clusters?maxResults=many", None, b"maxResults"),
        ("/clusters?nextToken=x", None, b"nextToken"),
        ("/clusters/sh%20op%2F/addons", None, b"No cluster"),
        ("/clusters/-shop/addons", None, b"does not satisfy"),
        ("/cluster-versions?versionStatus=OLD", None, b"is none of"),
        ("/clusters/shop/addons/vpc-cni?preserve=perhaps", None, b"preserve"),
        ("/clusters/shop/insights", b"{", b"no JSON"),
        ("/clusters/shop/insights", b"[]", b"no JSON object"),
        ("/clusters/shop/insights", b'{"filter":{"categories":["COLOUR"]}}', b"is none of"),
    ],
)
def test_what_the_model_does_not_allow_is_refused(endpoint: EksEndpoint, path: str, body: bytes | None, why: bytes) -> None:
    request = signed(endpoint, path, body)
    if "preserve" in path:
        request.method = "DELETE"
    with pytest.raises(HTTPError) as refused:
        urllib.request.urlopen(request)  # noqa: S310 - as above
    assert refused.value.code in {400, 404}
    assert why in refused.value.read()
    refused.value.close()


def test_a_dead_endpoint_closes_the_connection(endpoint: EksEndpoint) -> None:
    endpoint.faults["*"] = Fault(DEAD, "")
    with pytest.raises(RemoteDisconnected):
        urllib.request.urlopen(signed(endpoint, "/clusters"))  # noqa: S310 - as above


def test_a_slow_endpoint_answers_late(endpoint: EksEndpoint) -> None:
    endpoint.faults["ListClusters"] = Fault(0, "", delay=0.2)
    started = time.monotonic()
    with urllib.request.urlopen(signed(endpoint, "/clusters")) as answer:  # noqa: S310 - as above
        assert json.loads(answer.read()) == {"clusters": ["shop"]}
    assert time.monotonic() - started > 0.2


def test_lists_are_filtered_as_asked(aws: Aws) -> None:
    def insights(category: str) -> list[str]:
        listed = json.loads(aws("list-insights", "--cluster-name", "shop", "--filter", f"categories={category}").stdout)
        return [i["id"] for i in listed["insights"]]

    assert insights("UPGRADE_READINESS") == ["i-1"]
    assert insights("MISCONFIGURATION") == []
    pods = ("list-pod-identity-associations", "--cluster-name", "shop", "--namespace")
    assert len(json.loads(aws(*pods, "kube-system").stdout)["associations"]) == 1
    assert json.loads(aws(*pods, "default").stdout)["associations"] == []


def test_a_change_can_fail_and_leaves_the_add_on_as_it_was(endpoint: EksEndpoint) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    conflict = {"errorCode": "ConfigurationConflict", "errorMessage": "Conflicts found", "resourceIds": ["aws-node"]}
    doomed = endpoint.eks.with_fates("shop", "vpc-cni", [rules.Fate((conflict,))])
    started, update = eks_changes.update_addon(doomed, "shop", "vpc-cni", {"addonVersion": OFFERED[0]}, now)
    ended = after(started, now + SETTLES)
    addon = ended.addon("shop", "vpc-cni")
    assert (addon["status"], addon["addonVersion"]) == ("UPDATE_FAILED", "v1.20.5-eksbuild.1")
    assert addon["health"]["issues"][0]["code"] == "ConfigurationConflict"
    told = ended.of("shop").updates["vpc-cni"][update["id"]]
    assert (told["status"], told["errors"]) == ("Failed", [conflict])
    again, _ = eks_changes.update_addon(ended, "shop", "vpc-cni", {"addonVersion": OFFERED[0]}, now)
    assert after(again, now + SETTLES).addon("shop", "vpc-cni")["status"] == "ACTIVE"

    without = endpoint.eks.with_cluster("shop", replace(endpoint.eks.of("shop"), addons={}))
    doomed = without.with_fates("shop", "vpc-cni", [rules.Fate((conflict,))])
    started, _ = eks_changes.create_addon(doomed, "shop", {"addonName": "vpc-cni"}, now)
    assert after(started, now + SETTLES).addon("shop", "vpc-cni")["status"] == "CREATE_FAILED"


def test_the_same_request_token_starts_one_update(endpoint: EksEndpoint) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    wanted = {"addonVersion": OFFERED[0], "clientRequestToken": "once"}
    started, first = eks_changes.update_addon(endpoint.eks, "shop", "vpc-cni", wanted, now)
    same, second = eks_changes.update_addon(started, "shop", "vpc-cni", wanted, now + timedelta(seconds=1))
    assert (same, second) == (started, first)
