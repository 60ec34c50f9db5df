"""AWS as these tests meet it: the EKS endpoint and moto, reached as a person would point a tool at them."""

from __future__ import annotations

import os

import pytest

from eksnetpol.gateways.aws import Aws
from eksnetpol.gateways.aws_door import AwsDoor
from eksnetpol.gateways.aws_session import client_maker, make_session
from tests.testbed import aws as testbed
from tests.testbed.eks_endpoint import EksEndpoint, eks_addon, eks_cluster, one_cluster


@pytest.fixture
def aws_environment(monkeypatch: pytest.MonkeyPatch, aws: testbed.Aws, eks: EksEndpoint) -> None:
    """Point this process at the test-bed, where there is a cluster ``prod`` with its add-on."""
    cluster = eks_cluster("prod")
    eks.eks = one_cluster(cluster, addon=eks_addon(cluster), offered=("v1.20.5-eksbuild.1",))
    for name in [n for n in os.environ if n.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in aws.settings(eks.url).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")


@pytest.fixture
def gateway(aws_environment: None) -> Aws:  # noqa: ARG001 - sets the scene
    """The gateway to that AWS."""
    return Aws(AwsDoor(client_maker(make_session("", testbed.REGION), "", "", 5.0)))
