"""AWS as these tests meet it: the EKS endpoint and moto, both over HTTP, reached as a person would point a tool at them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto.server import ThreadedMotoServer

from eksnetpol.gateways.aws import Aws
from eksnetpol.gateways.aws_door import AwsDoor
from eksnetpol.gateways.aws_session import client_maker, make_session
from tests.testbed.eks_endpoint import EksEndpoint, eks_addon, eks_cluster, one_cluster, serving

REGION = "us-west-2"


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def eks_endpoint() -> Iterator[EksEndpoint]:
    cluster = eks_cluster("prod")
    with serving(EksEndpoint(one_cluster(cluster, addon=eks_addon(cluster), offered=("v1.20.5-eksbuild.1",)))) as endpoint:
        yield endpoint


@pytest.fixture
def aws_environment(monkeypatch: pytest.MonkeyPatch, moto_url: str, eks_endpoint: EksEndpoint) -> None:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    values = {
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/nonexistent/config",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent/credentials",
        "AWS_ENDPOINT_URL": moto_url,
        "AWS_ENDPOINT_URL_EKS": eks_endpoint.url,
        "AWS_MAX_ATTEMPTS": "2",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def aws(aws_environment: None) -> Aws:
    return Aws(AwsDoor(client_maker(make_session("", REGION), "", "", 5.0)))
