"""AWS as these tests meet it: the EKS endpoint and moto, reached as a person would point a tool at them."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator

import pytest

from eksnetpol.gateways.aws import Aws
from eksnetpol.gateways.aws_door import AwsDoor
from eksnetpol.gateways.aws_session import client_maker, make_session
from eksnetpol.gateways.hands import RealHands, hands_of
from eksnetpol.gateways.permit_documents import MANAGER
from eksnetpol.gateways.permits import CHANGING, permissions_for
from eksnetpol.gateways.session import connect
from tests.gateways.live import Live, live_cluster, rendered
from tests.testbed import aws as testbed
from tests.testbed.build import Components
from tests.testbed.cluster import User
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


@pytest.fixture(scope="module")
def acting(programs: Components, moto: testbed.Aws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A cluster to act upon, with the shipped roles of readers and of managers bound to groups of their names."""
    with live_cluster(tmp_path_factory.mktemp("acting"), programs, moto) as live:
        live.plane.apply(*rendered(permissions_for(*CHANGING), MANAGER))
        live.authenticator.users.update(dict.fromkeys(live.authenticator.users, User("manager", (MANAGER,))))
        yield live


@pytest.fixture
def live(acting: Live, monkeypatch: pytest.MonkeyPatch) -> Iterator[Live]:
    """That cluster, with this process pointed at its AWS; what a test changes in EKS is taken back."""
    for name in [n for n in os.environ if n.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in acting.environment().items():
        monkeypatch.setenv(name, value)
    before = acting.eks.eks
    acting.eks.calls.clear()
    yield acting
    acting.eks.eks = before
    acting.eks.faults.clear()


@pytest.fixture
def namespace(acting: Live) -> Iterator[str]:
    """A namespace of that cluster, for one test alone."""
    name = f"shop-{secrets.token_hex(4)}"
    made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    assert acting.ask("POST", "/api/v1/namespaces", made) == 201
    yield name
    acting.ask("DELETE", f"/api/v1/namespaces/{name}")


@pytest.fixture(scope="module")
def admin(acting: Live) -> RealHands:
    """The hands of the cluster's administrator."""
    return hands_of(connect(acting.as_admin()))
