"""Questions to AWS, answered over HTTP by the EKS endpoint and by moto."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from eksnetpol.errors import (
    Denied,
    EksNetpolError,
    NotFound,
    TransientError,
    Unauthenticated,
    Unreachable,
    UnreadableInput,
    UsageError,
)
from eksnetpol.gateways.aws import Aws
from eksnetpol.gateways.aws_door import AwsDoor
from eksnetpol.gateways.aws_session import client_maker, make_session
from eksnetpol.gateways.ec2 import BATCH
from eksnetpol.gateways.logs import STREAM_PREFIX, log_group
from tests.gateways.scripted import Answer, scripted
from tests.testbed.aws import REGION
from tests.testbed.eks_endpoint import EksEndpoint, Fault, eks_addon, eks_cluster, one_cluster

NODEGROUPS = tuple(
    {"nodegroupName": f"g{n}", "status": "ACTIVE", "nodeRole": f"arn:aws:iam::123456789012:role/n{n}"} for n in range(7)
)


def test_a_cluster_converts_with_what_is_read(gateway: Aws) -> None:
    cluster = gateway.describe_cluster("prod")
    assert (cluster.name, cluster.version, cluster.platform_version, cluster.status) == ("prod", "1.33", "eks.18", "ACTIVE")
    assert cluster.kubernetes_network_config.ip_family == "ipv4"
    assert cluster.resources_vpc_config.subnet_ids == ("subnet-0a", "subnet-0b")
    assert cluster.created_at == datetime(2025, 1, 15, tzinfo=UTC)


def test_a_cluster_that_is_not_there_says_what_to_check(gateway: Aws) -> None:
    with pytest.raises(NotFound) as caught:
        gateway.describe_cluster("nope")
    assert "no cluster 'nope'" in str(caught.value)
    assert "--region" in str(caught.value)


def test_an_addon_that_eks_does_not_manage_is_none(gateway: Aws, eks: EksEndpoint) -> None:
    found = gateway.describe_addon("prod", "vpc-cni")
    assert found is not None
    assert found.addon_version == "v1.20.5-eksbuild.1"
    eks.eks = one_cluster(eks_cluster("prod"), addon=None, offered=())
    assert gateway.describe_addon("prod", "vpc-cni") is None
    assert gateway.list_addons("prod") == ()
    assert gateway.addon_updates("prod", "vpc-cni") == ()


def test_every_page_is_read(gateway: Aws, eks: EksEndpoint) -> None:
    cluster = eks_cluster("prod")
    identities = tuple(
        {"clusterName": "prod", "namespace": "shop", "serviceAccount": f"s{n}", "associationId": f"a{n}", "roleArn": f"r{n}"}
        for n in range(5)
    )
    profiles = tuple(
        {"fargateProfileName": f"f{n}", "status": "ACTIVE", "selectors": [{"namespace": "shop", "labels": {"a": "b"}}]}
        for n in range(3)
    )
    eks.page_size = 2
    eks.eks = one_cluster(
        cluster, addon=eks_addon(cluster), offered=(), nodegroups=NODEGROUPS, fargate_profiles=profiles, pod_identities=identities
    )
    assert [g.nodegroup_name for g in gateway.nodegroups("prod")] == [f"g{n}" for n in range(7)]
    assert eks.calls.count("ListNodegroups") == 4
    assert eks.calls.count("DescribeNodegroup") == 7
    assert [p.selectors[0].labels for p in gateway.fargate_profiles("prod")] == [{"a": "b"}] * 3
    assert [i.service_account for i in gateway.pod_identities("prod")] == [f"s{n}" for n in range(5)]
    assert gateway.pod_identity_role("prod", "a3") == "r3"


def test_releases_and_schema_of_the_addon(gateway: Aws) -> None:
    releases = gateway.addon_releases("vpc-cni")
    assert "v1.20.5-eksbuild.1" in {r.addon_version for r in releases}
    schema = gateway.addon_schema("vpc-cni", "v1.20.5-eksbuild.1")
    assert schema is not None
    assert "enableNetworkPolicy" in schema.configuration_schema
    assert gateway.addon_schema("vpc-cni", "v0.0.1-eksbuild.1") is None


def test_updates_come_newest_first(gateway: Aws, eks: EksEndpoint) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    updates = {
        f"u{n}": {"id": f"u{n}", "status": "Successful", "type": "AddonUpdate", "createdAt": start + timedelta(days=n % 3)}
        for n in range(3)
    }
    cluster = eks_cluster("prod")
    eks.eks = one_cluster(cluster, addon=eks_addon(cluster), offered=(), updates={"vpc-cni": updates})
    assert [u.id for u in gateway.addon_updates("prod", "vpc-cni")] == ["u2", "u1", "u0"]


@pytest.mark.parametrize(
    ("status", "code", "kind", "words"),
    [
        (403, "AccessDeniedException", Denied, "not authorized to perform eks:DescribeAddon"),
        (403, "ExpiredTokenException", Unauthenticated, "aws sso login"),
        (403, "UnrecognizedClientException", Unauthenticated, "refuses these credentials"),
        (429, "TooManyRequestsException", TransientError, "throttled"),
        (400, "ThrottlingException", TransientError, "throttled"),
        (500, "ServerException", TransientError, "AWS's side"),
        (503, "ServiceUnavailableException", TransientError, "AWS's side"),
        (400, "InvalidRequestException", EksNetpolError, "rejected"),
    ],
)
def test_what_aws_refuses_is_one_clear_line(
    gateway: Aws, eks: EksEndpoint, status: int, code: str, kind: type[EksNetpolError], words: str
) -> None:
    eks.faults["DescribeAddon"] = Fault(status, code, "because\nof this")
    with pytest.raises(kind) as caught:
        gateway.describe_addon("prod", "vpc-cni")
    text = str(caught.value)
    assert words in text
    assert f"because of this ({code}, request id 00000000-0000-4000-8000-000000000000)" in text
    assert "\n" not in text
    if isinstance(caught.value, Denied):
        assert caught.value.permission == "eks:DescribeAddon"


def test_a_passing_failure_is_retried_by_botocore(gateway: Aws, eks: EksEndpoint) -> None:
    eks.faults["DescribeAddon"] = Fault(503, "ServiceUnavailableException", times=1)
    assert gateway.describe_addon("prod", "vpc-cni") is not None
    assert eks.calls.count("DescribeAddon") == 2


@pytest.mark.usefixtures("aws_environment")
def test_a_dead_endpoint_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_EKS", "http://127.0.0.1:9")
    dead = Aws(AwsDoor(client_maker(make_session("", REGION), "", "", 1.0)))
    with pytest.raises(Unreachable) as caught:
        dead.describe_cluster("prod")
    assert "eks:DescribeCluster got no answer" in str(caught.value)


@pytest.mark.usefixtures("aws_environment")
def test_an_endpoint_that_is_no_url_is_a_wrong_flag() -> None:
    broken = Aws(AwsDoor(client_maker(make_session("", REGION), "not a url", "", 1.0)))
    with pytest.raises(UsageError) as caught:
        broken.describe_cluster("prod")
    assert "not a url" in str(caught.value)


@pytest.mark.usefixtures("aws_environment")
def test_an_unknown_profile_is_a_wrong_flag() -> None:
    with pytest.raises(UsageError) as caught:
        make_session("nobody", REGION)
    assert "nobody" in str(caught.value)


@pytest.mark.usefixtures("aws_environment")
def test_no_credentials_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    nobody = Aws(AwsDoor(client_maker(make_session("", REGION), "", "", 1.0)))
    with pytest.raises(Unauthenticated) as caught:
        nobody.caller()
    assert "--profile" in str(caught.value)


@pytest.mark.usefixtures("aws_environment")
def test_an_assumed_role_is_who_we_are() -> None:
    session = make_session("", REGION, "arn:aws:iam::123456789012:role/auditor", "external")
    caller = Aws(AwsDoor(client_maker(session, "", "", 5.0))).caller()
    assert ":assumed-role/auditor/eksnetpol" in caller.arn


def test_the_caller_is_known(gateway: Aws) -> None:
    assert gateway.caller().account == "123456789012"


# --- the network ------------------------------------------------------------------------------------------------------


@pytest.fixture
def ec2(aws_environment: None) -> Any:  # noqa: ARG001 - sets the scene
    return boto3.client("ec2", region_name=REGION)


def test_a_vpc_with_all_its_blocks(gateway: Aws, ec2: Any) -> None:
    made = ec2.create_vpc(CidrBlock="10.20.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]
    ec2.associate_vpc_cidr_block(VpcId=made["VpcId"], CidrBlock="100.64.0.0/16")
    cidrs = gateway.vpc(made["VpcId"]).cidrs
    assert cidrs[:2] == ("10.20.0.0/16", "100.64.0.0/16")
    assert ":" in cidrs[2]
    subnet = ec2.create_subnet(VpcId=made["VpcId"], CidrBlock="10.20.1.0/24")["Subnet"]
    (found,) = gateway.subnets((subnet["SubnetId"],))
    assert (found.cidr_block, found.vpc_id) == ("10.20.1.0/24", made["VpcId"])
    ec2.create_vpc_endpoint(VpcId=made["VpcId"], ServiceName=f"com.amazonaws.{REGION}.s3")
    assert [e.service_name for e in gateway.vpc_endpoints(made["VpcId"])] == [f"com.amazonaws.{REGION}.s3"]


def test_a_vpc_that_is_gone_is_not_found(gateway: Aws) -> None:
    with pytest.raises(NotFound):
        gateway.vpc("vpc-00000000")


def test_instances_by_id_and_by_tag(gateway: Aws, ec2: Any) -> None:
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "kubernetes.io/cluster/prod", "Value": "owned"}]}]
    options = {"HttpEndpoint": "enabled", "HttpTokens": "required", "HttpPutResponseHopLimit": 1}
    made = ec2.run_instances(ImageId=image, MinCount=3, MaxCount=3, TagSpecifications=tags, MetadataOptions=options)
    ids = sorted(i["InstanceId"] for i in made["Instances"])
    gone = [f"i-{n:017x}" for n in range(BATCH + 20)]
    found = gateway.instances([*ids, *gone])
    assert sorted(i.instance_id for i in found) == ids
    assert {i.metadata_options.http_tokens for i in found} == {"required"}
    assert {i.metadata_options.http_put_response_hop_limit for i in found} == {1}
    assert sorted(i.instance_id for i in gateway.instances_of("prod")) == ids
    assert gateway.instances_of("pro") == ()
    assert gateway.instances([]) == ()


def test_log_streams_of_the_agent_are_counted(gateway: Aws) -> None:
    logs = boto3.client("logs", region_name=REGION)
    assert gateway.log_streams("absent").exists is False
    for group in (log_group("prod"), log_group("prod") + "-2"):
        logs.create_log_group(logGroupName=group)
    for stream in (STREAM_PREFIX + "1", STREAM_PREFIX + "2", "kube-apiserver-audit-1"):
        logs.create_log_stream(logGroupName=log_group("prod"), logStreamName=stream)
    found = gateway.log_streams("prod")
    assert (found.group, found.exists, found.agent_streams) == ("/aws/eks/prod/cluster", True, 2)


SIMULATED = """<SimulatePrincipalPolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><SimulatePrincipalPolicyResult>
<IsTruncated>false</IsTruncated><EvaluationResults>{}</EvaluationResults></SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>"""
MEMBER = (
    "<member><EvalActionName>{}</EvalActionName><EvalResourceName>*</EvalResourceName><EvalDecision>{}</EvalDecision></member>"
)


@pytest.fixture
def iam_says(
    aws_environment: None,  # noqa: ARG001 - sets the scene
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[[Answer], Aws]]:
    """Let IAM say something; moto does not simulate."""

    def say(answer: Answer) -> Aws:
        server = stack(answer)
        monkeypatch.setenv("AWS_ENDPOINT_URL_IAM", server)
        return Aws(AwsDoor(client_maker(make_session("", REGION), "", "", 5.0)))

    with ExitStack() as open_servers:

        def stack(answer: Answer) -> str:
            return open_servers.enter_context(scripted(lambda _: answer)).url

        yield say


def test_iam_answers_for_each_action(iam_says: Callable[[Answer], Aws]) -> None:
    members = MEMBER.format("logs:PutLogEvents", "allowed") + MEMBER.format("logs:CreateLogGroup", "implicitDeny")
    gateway = iam_says(Answer(body=SIMULATED.format(members).encode()))
    role = "arn:aws:iam::123456789012:role/cni"
    answers = gateway.simulate(role, ("logs:PutLogEvents", "logs:CreateLogGroup"), ("*",))
    assert [(a.role_arn, a.action, a.allowed) for a in answers] == [
        (role, "logs:PutLogEvents", True),
        (role, "logs:CreateLogGroup", False),
    ]


def test_a_simulation_that_is_denied_names_the_permission(iam_says: Callable[[Answer], Aws]) -> None:
    body = (
        b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error><RequestId>r-1</RequestId></ErrorResponse>"
    )
    with pytest.raises(Denied) as caught:
        iam_says(Answer(403, body)).simulate("arn:aws:iam::123456789012:role/cni", ("a:b",), ("*",))
    assert caught.value.permission == "iam:SimulatePrincipalPolicy"
    assert "request id r-1" in str(caught.value)


def test_a_page_of_a_proxy_is_quoted_without_its_markup(iam_says: Callable[[Answer], Aws]) -> None:
    page = b"<!doctype html>\n<title>Corporate proxy</title>\n<h1>Sign in first</h1>\n" + b"<p>more</p>" * 50
    with pytest.raises(UnreadableInput) as caught:
        iam_says(Answer(200, page)).simulate("arn:aws:iam::123456789012:role/cni", ("a:b",), ("*",))
    said = str(caught.value)
    assert "perhaps a proxy's: Corporate proxy Sign in first" in said
    assert "<" not in said
    assert len(said) < 250
