"""Fixtures of the test-bed, for every test: ``pytest_plugins = ["tests.testbed.fixtures"]``.

A part that is missing (only possible with ``KUBEBUILDER_ASSETS``, which brings no controllers and no kwok) skips the test that
asked for it, saying what is missing. With ``CI=true`` it fails.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.testbed.aws import Aws
from tests.testbed.build import ASSETS, Components, components, target
from tests.testbed.cluster import ControlPlane
from tests.testbed.eks_endpoint import EksEndpoint
from tests.testbed.eks_endpoint import serving as serving_eks

NewControlPlane = Callable[..., ControlPlane]


@pytest.fixture(scope="session")
def programs() -> Components:
    """Where the programs are; builds them when that was never done."""
    return components()


@pytest.fixture(scope="session")
def full_programs(programs: Components) -> Components:
    """The programs of our own build: controllers, a scheduler and kwok's nodes too, and any version can be reported."""
    if not os.environ.get(ASSETS):
        return programs
    if target().is_dir():
        return Components((target(),))
    missing = f"{ASSETS} brings no controllers and no kwok, and the control plane was not built: unset it, or run make testbed"
    if os.environ.get("CI") == "true":
        pytest.fail(missing)
    pytest.skip(missing)


@pytest.fixture(scope="session")
def control_plane(programs: Components, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """One control plane for all tests that keep to a namespace of their own."""
    plane = ControlPlane.start(tmp_path_factory.mktemp("control-plane"), programs=programs)
    yield plane
    plane.stop()


@pytest.fixture
def new_control_plane(programs: Components, tmp_path: Path) -> Iterator[NewControlPlane]:
    """Start control planes for one test, with the arguments of `ControlPlane.start`."""
    started: list[ControlPlane] = []

    def make(**options: object) -> ControlPlane:
        folder = tmp_path / f"control-plane-{len(started)}"
        started.append(ControlPlane.start(folder, **{"programs": programs, **options}))  # type: ignore[arg-type]
        return started[-1]

    yield make
    for plane in started:
        plane.stop()


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """Moto's server, for as long as the tests run."""
    aws = Aws.start(tmp_path_factory.mktemp("moto"))
    yield aws
    aws.stop()


@pytest.fixture
def aws(moto: Aws) -> Aws:
    """STS, IAM, EC2 and Logs in which nothing was made yet."""
    moto.reset()
    return moto


@pytest.fixture
def eks() -> Iterator[EksEndpoint]:
    """An EKS endpoint without clusters; set its ``eks`` to have some."""
    with serving_eks(EksEndpoint()) as endpoint:
        yield endpoint
