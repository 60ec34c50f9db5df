"""The AWS side: subprocesses are pointed at it by the environment alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.testbed.aws import ACCOUNT, Aws
from tests.testbed.eks_endpoint import EksEndpoint, eks_cluster, one_cluster

pytestmark = pytest.mark.testbed


def called(environment: dict[str, str], *args: str) -> dict[str, object]:
    command = [str(Path(sys.executable).with_name("aws")), *args, "--output", "json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_one_environment_reaches_both_moto_and_the_eks_endpoint(aws: Aws, eks: EksEndpoint) -> None:
    eks.eks = one_cluster(eks_cluster("shop"), addon=None, offered=())
    environment = aws.environment(eks.url)
    assert called(environment, "eks", "list-clusters") == {"clusters": ["shop"]}
    assert called(environment, "sts", "get-caller-identity")["Account"] == ACCOUNT
    assert called(environment, "ec2", "describe-vpcs")["Vpcs"]
    assert called(environment, "logs", "describe-log-groups")["logGroups"] == []


def test_keys_belong_to_whom_they_were_made_for(aws: Aws) -> None:
    assert aws.client("sts", aws.user("jane")).get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/jane"
    session = aws.client("sts", aws.role_session("operator", "me")).get_caller_identity()["Arn"]
    assert session == f"arn:aws:sts::{ACCOUNT}:assumed-role/operator/me"


def test_a_reset_forgets(aws: Aws) -> None:
    aws.user("jane")
    aws.reset()
    assert aws.client("iam").list_users()["Users"] == []


def test_no_setting_of_the_machine_leaks_in(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    environment = aws.environment()
    assert "AWS_PROFILE" not in environment
    assert environment["AWS_EC2_METADATA_DISABLED"] == "true"
