"""A kubeconfig is held against DescribeCluster by server and certificate authority, and by nothing else."""

from __future__ import annotations

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eksnetpol.gateways.context_names import NamedCluster, cluster_of
from eksnetpol.gateways.guard import Identity, mismatch
from tests.testbed.pki import Authority

OURS, THEIRS = Authority.make().pem, Authority.make().pem
SERVER = "https://ABCD.gr7.us-west-2.eks.amazonaws.com"
EKS = Identity(SERVER, OURS)


@pytest.mark.parametrize(
    "server", [SERVER, SERVER.lower(), SERVER + ":443", SERVER + "/", SERVER + ":443/", SERVER.removeprefix("https://")]
)
def test_the_same_server_is_the_same_however_it_is_written(server: str) -> None:
    assert mismatch("prod", Identity(server, OURS), EKS) == ""


@pytest.mark.parametrize(
    "server", [SERVER.replace("ABCD", "EFGH"), SERVER + ":8443", SERVER + "/proxy", "https://127.0.0.1:6443"]
)
def test_another_server_is_another_cluster_and_both_are_named(server: str) -> None:
    why = mismatch("prod", Identity(server, OURS), EKS)
    assert server in why
    assert SERVER in why
    assert "prod" in why


def test_another_authority_is_another_cluster() -> None:
    assert "certificate authority" in mismatch("prod", Identity(SERVER, THEIRS), EKS)
    assert "certificate authority" in mismatch("prod", Identity(SERVER, ""), EKS)
    assert "certificate authority" in mismatch("prod", Identity(SERVER, OURS + THEIRS), EKS)


def test_an_unverified_server_may_be_anybody() -> None:
    assert "does not verify" in mismatch("prod", Identity(SERVER, OURS, verified=False), EKS)


def test_line_lengths_and_order_of_certificates_mean_nothing() -> None:
    body = "".join(OURS.splitlines()[1:-1])
    rewrapped = "\n".join(["-----BEGIN CERTIFICATE-----", *textwrap.wrap(body, 76), "-----END CERTIFICATE-----"])
    assert mismatch("prod", Identity(SERVER, rewrapped), EKS) == ""
    both = Identity(SERVER, OURS + THEIRS)
    assert mismatch("prod", Identity(SERVER, THEIRS + OURS), both) == ""


@given(st.sampled_from([SERVER, "https://x", "http://x:1/y"]), st.sampled_from(["", OURS, THEIRS]), st.booleans())
def test_a_cluster_is_itself_unless_unverified(server: str, ca: str, verified: bool) -> None:
    one = Identity(server, ca, verified)
    assert (mismatch("c", one, Identity(server, ca)) == "") == verified


ARN = "arn:aws:eks:us-west-2:123456789012:cluster/prod"


@pytest.mark.parametrize(
    ("names", "cluster"),
    [
        ((ARN,), NamedCluster("prod", "us-west-2", "123456789012")),
        (("my-alias", ARN), NamedCluster("prod", "us-west-2", "123456789012")),
        (
            ("arn:aws-us-gov:eks:us-gov-west-1:123456789012:cluster/a_b-C",),
            NamedCluster("a_b-C", "us-gov-west-1", "123456789012"),
        ),
        (("jo.doe@corp.com@prod.eu-west-1.eksctl.io",), NamedCluster("prod", "eu-west-1")),
        (("prod.ap-southeast-2.eksctl.io",), NamedCluster("prod", "ap-southeast-2")),
    ],
)
def test_names_that_tools_write_tell_the_cluster(names: tuple[str, ...], cluster: NamedCluster) -> None:
    assert cluster_of(*names) == cluster


@pytest.mark.parametrize(
    "name",
    [
        "prod",
        "",
        f"x{ARN}",
        f"{ARN}/nodegroup",
        f"admin@{ARN}",
        "arn:aws:eks:us-west-2:1234:cluster/prod",
        "jo@prod.eu-west-1.eksctl.io.example.com",
        "jo@prod.eksctl.io",
        "gke_project_zone_prod",
    ],
)
def test_other_names_tell_nothing(name: str) -> None:
    assert cluster_of(name) is None
