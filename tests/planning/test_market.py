"""Which release is meant, and the way there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eksnetpol.assets.releases import matrix
from eksnetpol.errors import UsageError
from eksnetpol.model.eks import AddonRelease, Compatibility
from eksnetpol.model.versions import KubernetesVersion, Release
from eksnetpol.planning.market import Market, minor_of, offers, upstream

R = Release.parse
OFFERED = (
    "v1.18.5-eksbuild.1", "v1.18.6-eksbuild.1", "v1.19.2-eksbuild.1", "v1.19.2-eksbuild.5", "v1.19.3-eksbuild.1",
    "v1.19.6-eksbuild.7", "v1.20.1-eksbuild.3", "v1.20.4-eksbuild.2", "v1.20.5-eksbuild.1", "v1.21.0-eksbuild.4",
    "v1.21.1-eksbuild.7", "v1.21.2-eksbuild.1", "v1.22.3-eksbuild.1", "v1.22.4-eksbuild.1",
)  # fmt: skip


def market(*names: str, family: str = "ipv4") -> Market:
    return Market(tuple(sorted(map(R, names or OFFERED))), "EKS offers", matrix(), family)


@pytest.mark.parametrize(
    ("wanted", "meant"),
    [
        ("v1.19.2-eksbuild.1", "v1.19.2-eksbuild.1"),
        ("1.19.2-eksbuild.1", "v1.19.2-eksbuild.1"),
        ("1.19.2", "v1.19.2-eksbuild.5"),
        ("v1.20", "v1.20.5-eksbuild.1"),
        ("1.19", "v1.19.6-eksbuild.7"),
        ("1.21", "v1.21.2-eksbuild.1"),
        ("latest", "v1.22.4-eksbuild.1"),
        ("Recommended", "v1.22.4-eksbuild.1"),
        ("1.21.0", "v1.21.0-eksbuild.4"),
    ],
)
def test_wishes(wanted: str, meant: str) -> None:
    assert market().choose(wanted) == R(meant)


def test_the_newest_may_be_known_to_do_harm_and_is_not_recommended_then() -> None:
    shop = market("v1.20.5-eksbuild.1", "v1.21.0-eksbuild.1")
    assert shop.choose("latest") == R("v1.21.0-eksbuild.1")
    assert shop.choose("recommended") == R("v1.20.5-eksbuild.1")
    assert "wrong map" in str(shop.harms(R("v1.21.0-eksbuild.1"))[0])


def test_what_cuts_ipv6_egress_is_known() -> None:
    assert market(family="ipv6").harms(R("v1.20.1"))
    assert not market(family="ipv6").harms(R("v1.20.5"))


def test_a_security_fix_that_is_missing_is_named() -> None:
    assert any("conntrack" in what for what in market().lacks(R("v1.20.5")))
    assert market().lacks(R("v1.22.4")) == ()


@pytest.mark.parametrize(
    ("wanted", "nearest"), [("1.20.7", "v1.20.5-eksbuild.1"), ("v1.19.5-eksbuild.1", "v1.19.6-eksbuild.7"), ("1.25", "v1.22.4")]
)
def test_an_unknown_version_is_answered_with_the_nearest_and_the_list(wanted: str, nearest: str) -> None:
    with pytest.raises(UsageError, match=f"the nearest is {nearest}.*There are: v1.22.4-eksbuild.1, v1.22.3"):
        market().choose(wanted)


@pytest.mark.parametrize("wanted", ["newest", "", "1", "1.20.x", "v1.20.5-eksbuild", "1.20.5 x"])
def test_what_is_no_version_is_said_so(wanted: str) -> None:
    with pytest.raises(UsageError, match="is no version of the VPC CNI"):
        market().choose(wanted)


def test_nothing_on_offer() -> None:
    with pytest.raises(UsageError, match="no release of the VPC CNI"):
        Market((), "EKS offers", matrix()).choose("latest")


@pytest.mark.parametrize(
    ("running", "target", "hops"),
    [
        (
            "v1.18.5-eksbuild.1", "v1.22.4-eksbuild.1",
            ["v1.19.6-eksbuild.7", "v1.20.5-eksbuild.1", "v1.21.2-eksbuild.1", "v1.22.4-eksbuild.1"],
        ),
        ("v1.20.5-eksbuild.1", "v1.20.5-eksbuild.1", []),
        ("v1.20.4-eksbuild.2", "v1.20.5-eksbuild.1", ["v1.20.5-eksbuild.1"]),
        ("v1.19.2-eksbuild.1", "v1.19.2-eksbuild.5", ["v1.19.2-eksbuild.5"]),
        ("v1.20.5-eksbuild.1", "v1.18.6-eksbuild.1", []),
        ("v1.18.6-eksbuild.1", "v1.19.2-eksbuild.5", ["v1.19.2-eksbuild.5"]),
    ],
)  # fmt: skip
def test_ways(running: str, target: str, hops: list[str]) -> None:
    assert market().road(R(running), R(target)).hops == tuple(map(R, hops))


def test_a_minor_version_that_only_has_harmful_releases_is_left_out_and_said() -> None:
    road = market("v1.20.5", "v1.21.0", "v1.22.4").road(R("v1.20.5"), R("v1.22.4"))
    assert road.hops == (R("v1.22.4"),)
    assert road.left_out == ((1, 21),)


def test_only_what_suits_the_kubernetes_version_is_on_offer() -> None:
    def suits(*versions: str) -> tuple[Compatibility, ...]:
        return tuple(Compatibility(v) for v in versions)

    listed = (
        AddonRelease("v1.20.5-eksbuild.1", suits("1.31", "1.32")),
        AddonRelease("v1.16.4-eksbuild.2", suits("1.29")),
        AddonRelease("v1.21.0-eksbuild.1", suits("1.31")),
        AddonRelease("nonsense", suits("1.31")),
    )
    assert offers(listed, KubernetesVersion(1, 31)) == (R("v1.20.5-eksbuild.1"), R("v1.21.0-eksbuild.1"))


_RELEASES = st.builds(
    lambda minor, patch, build: Release(1, minor, patch, build=build or None),
    st.integers(14, 23), st.integers(0, 6), st.integers(0, 3),
)  # fmt: skip


@given(st.sets(_RELEASES, min_size=1), st.data(), st.sampled_from(["ipv4", "ipv6"]))
def test_stops_ascend_skip_nothing_do_no_harm_and_end_at_the_target(
    releases: set[Release], data: st.DataObject, family: str
) -> None:
    shop = Market(tuple(sorted(releases)), "EKS offers", matrix(), family)
    running, target = data.draw(_RELEASES), data.draw(st.sampled_from(shop.releases))
    road = shop.road(running, target)
    if target <= running or (target.build is None and target.base == running.base):
        assert road.hops == ()
        return
    assert road.hops[-1] == target
    assert list(road.hops) == sorted(set(road.hops))
    assert all(hop > running and hop in releases for hop in road.hops)
    assert not any(shop.harms(hop) for hop in road.hops[:-1])
    between = {minor_of(r) for r in releases if minor_of(running) < minor_of(r) < minor_of(target)}
    stopped_at = [minor_of(hop) for hop in road.hops[:-1]]
    assert len(stopped_at) == len(set(stopped_at))
    assert set(stopped_at) | set(road.left_out) == between
    for minor in road.left_out:
        assert all(shop.harms(r) for r in releases if minor_of(r) == minor)
    for hop in road.hops[:-1]:
        better = [r for r in releases if minor_of(r) == minor_of(hop) and r > hop]
        assert all(shop.harms(r) for r in better)


@given(st.sampled_from(upstream(matrix())), st.sampled_from(["ipv4", "ipv6"]))
def test_what_is_recommended_is_fit_from_wherever(running: Release, family: str) -> None:
    shop = Market(upstream(matrix()), "upstream has", matrix(), family)
    target = shop.choose("recommended")
    assert not shop.harms(target)
    assert shop.lacks(target) == ()
    assert all(not shop.harms(hop) for hop in shop.road(running, target).hops)
