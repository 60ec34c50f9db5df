"""Where the next image comes from, told from the one that runs."""

from __future__ import annotations

import pytest

from eksnetpol.assets.images import image_beside, images_like, registry_of
from eksnetpol.assets.manifests import AGENT, CNI, INIT
from eksnetpol.model.versions import Release

V = Release.parse


@pytest.mark.parametrize(
    ("live", "like"),
    [
        ("602401143452.dkr.ecr.us-west-2.amazonaws.com/amazon-k8s-cni:v1.20.5", True),
        ("918309763551.dkr.ecr.cn-north-1.amazonaws.com.cn/amazon-k8s-cni:v1.21.1-eksbuild.7", True),
        ("mirror.example:5000/aws/cni:v1.20.5", True),
        ("mirror.example:5000/aws/cni:1.20.5", True),
        ("mirror.example/cni@sha256:0123", False),
        ("mirror.example/cni:v1.20.5@sha256:0123", False),
        ("mirror.example/cni:golden-2026", False),
        ("mirror.example:5000/cni", False),
        ("", False),
    ],
)
def test_the_registry_stays_and_the_tag_moves_where_that_can_be_told(live: str, like: bool) -> None:
    moved = images_like(live, V("1.22.4"))
    assert moved == (f"{live.rpartition(':')[0]}:v1.22.4" if like else None)


def test_a_build_comes_from_the_wanted_release_alone() -> None:
    assert images_like("r.example/cni:v1.21.1-eksbuild.7", V("1.21.1-eksbuild.9")) == "r.example/cni:v1.21.1-eksbuild.9"


def test_the_agent_comes_from_beside_the_cni() -> None:
    registry = "877085696533.dkr.ecr.af-south-1.amazonaws.com"
    cni, agent = f"{registry}/amazon-k8s-cni:v1.22.4", f"{registry}/amazon/aws-network-policy-agent:v1.4.0"
    assert image_beside(cni, AGENT, V("1.4.0")) == agent
    assert image_beside(f"{registry}/amazon-k8s-cni-init:v1.22.4", CNI, V("1.22.4")) == cni
    assert image_beside(agent, INIT, V("1.22.4")) == f"{registry}/amazon-k8s-cni-init:v1.22.4"
    assert image_beside("amazon-k8s-cni:v1", AGENT, V("1.4.0")) == "amazon/aws-network-policy-agent:v1.4.0"
    assert image_beside("mirror.example/our-amazon-k8s-cni:v1.22.4", AGENT, V("1.4.0")) is None
    assert image_beside("mirror.example/cni:v1.22.4", AGENT, V("1.4.0")) is None


def test_registries_differ_by_region_and_partition() -> None:
    assert registry_of("us-west-2") == "602401143452.dkr.ecr.us-west-2.amazonaws.com"
    assert registry_of("eu-west-1") == "602401143452.dkr.ecr.eu-west-1.amazonaws.com"
    assert registry_of("us-gov-west-1") == "013241004608.dkr.ecr.us-gov-west-1.amazonaws.com"
    assert registry_of("cn-northwest-1") == "961992271922.dkr.ecr.cn-northwest-1.amazonaws.com.cn"
