"""Versions compare as the field means them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eksnetpol.model.versions import ImageReference, KubernetesVersion, PlatformVersion, Release

numbers = st.integers(min_value=0, max_value=200)
releases = st.builds(Release, numbers, numbers, numbers, st.none() | numbers, st.none() | numbers)


@given(releases)
def test_a_release_survives_printing(release: Release) -> None:
    assert Release.parse(str(release)) == release


@given(releases, releases, releases)
def test_releases_are_totally_ordered(a: Release, b: Release, c: Release) -> None:
    assert (a < b) + (a == b) + (a > b) == 1
    if a <= b <= c:
        assert a <= c


@given(releases)
def test_a_candidate_is_below_its_release_and_a_build_above(release: Release) -> None:
    base = release.base
    if release.candidate is not None:
        assert release < base
    elif release.build is not None:
        assert release > base


def test_the_first_release_with_network_policy_is_not_too_old() -> None:
    # Under semantic versioning -eksbuild.3 is a pre-release, so the first supported build would count as older than 1.14.0.
    assert Release.parse("v1.14.0-eksbuild.3") >= Release.parse("1.14.0")


def test_numbers_compare_as_numbers() -> None:
    assert Release.parse("v1.9.3") < Release.parse("v1.19.3")
    assert PlatformVersion.parse("eks.9") < PlatformVersion.parse("eks.10")
    assert KubernetesVersion.parse("1.9") < KubernetesVersion.parse("1.10")


@pytest.mark.parametrize(
    ("text", "version"),
    [("1.31", (1, 31)), ("v1.33.4-eks-ba24e9c", (1, 33)), ("1.31+", (1, 31)), ("v1.36.3", (1, 36)), (" 1.25 ", (1, 25))],
)
def test_kubernetes_versions_are_read_as_they_are_written(text: str, version: tuple[int, int]) -> None:
    parsed = KubernetesVersion.parse(text)
    assert (parsed.major, parsed.minor) == version


@pytest.mark.parametrize("text", ["", "latest", "v1", "1.x", "1.14", "v1.14.0-eksbuild", "1.14.0.1", "v1.14.0-beta"])
def test_what_is_no_release_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a release"):
        Release.parse(text)
    assert Release.try_parse(text) is None


@pytest.mark.parametrize("text", ["", "7", "eks", "eks.x", "EKS.7"])
def test_what_is_no_platform_version_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="platform version"):
        PlatformVersion.parse(text)


@pytest.mark.parametrize(
    ("text", "repository", "tag", "digest"),
    [
        ("amazon-k8s-cni:v1.19.0", "amazon-k8s-cni", "v1.19.0", ""),
        ("602401143452.dkr.ecr.us-west-2.amazonaws.com/amazon-k8s-cni:v1.19.0-eksbuild.1",
         "602401143452.dkr.ecr.us-west-2.amazonaws.com/amazon-k8s-cni", "v1.19.0-eksbuild.1", ""),
        ("mirror.local:5000/a/amazon-k8s-cni", "mirror.local:5000/a/amazon-k8s-cni", "", ""),
        ("mirror.local:5000/amazon-k8s-cni@sha256:ab", "mirror.local:5000/amazon-k8s-cni", "", "sha256:ab"),
        ("mirror.local:5000/amazon-k8s-cni:v1.2.3@sha256:ab", "mirror.local:5000/amazon-k8s-cni", "v1.2.3", "sha256:ab"),
    ],
)  # fmt: skip
def test_images_are_cut_at_their_joints(text: str, repository: str, tag: str, digest: str) -> None:
    image = ImageReference.parse(text)
    assert (image.repository, image.tag, image.digest) == (repository, tag, digest)
    assert image.name == "amazon-k8s-cni"


def test_a_digest_alone_tells_no_release() -> None:
    assert ImageReference.parse("amazon-k8s-cni@sha256:ab").release is None
    assert ImageReference.parse("amazon-k8s-cni:latest").release is None
