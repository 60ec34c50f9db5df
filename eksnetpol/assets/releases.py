"""The version matrix: releases never to run, fixes, pairs that belong together, least versions. Data with sources."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Literal

import msgspec

from eksnetpol.model.versions import KubernetesVersion, PlatformVersion, Release

Part = Literal["agent", "cni"]


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An entry of the data file; a key nobody reads is an error."""


class BadRelease(_Entry, frozen=True, rename={"first": "from"}):
    """Releases from ``first`` up to, but not including, ``before`` that do harm."""

    id: str
    of: Part
    first: Release
    before: Release
    severity: Literal["blocker", "warning", "advice"]
    symptom: str
    fixed: str
    sources: tuple[str, ...]
    severity_ipv6: Literal["blocker", "warning", "advice"] | None = None

    def holds(self, release: Release) -> bool:
        """Say whether *release* is one of them; builds count as their release."""
        return self.first <= release.base < self.before


class SecurityFix(_Entry, frozen=True):
    """A defect with consequences for security, and the release that lacks it no more."""

    of: Part
    since: Release
    cni: Release
    what: str
    sources: tuple[str, ...]
    unverified: bool = False


class Pairing(_Entry, frozen=True):
    """CNI releases from ``cni`` on need agents from ``agent`` on, and the other way round."""

    cni: Release
    agent: Release
    what: str
    sources: tuple[str, ...]


class Shipped(_Entry, frozen=True):
    """What the upstream manifest of a CNI release pairs it with."""

    cni: Release
    agent: Release


class Minimum(_Entry, frozen=True):
    """What network policy needs at all. ``platform`` is by Kubernetes version; later ones need no particular platform."""

    kubernetes: KubernetesVersion
    cni: Release
    agent: Release
    kernel: str
    platform: dict[str, PlatformVersion]

    @property
    def kernel_version(self) -> tuple[int, int]:
        """``kernel`` as (major, minor)."""
        major, minor = self.kernel.split(".")
        return int(major), int(minor)


class Feature(_Entry, frozen=True):
    """Least versions of one feature; None where the part does not matter."""

    kubernetes: KubernetesVersion | None = None
    cni: Release | None = None
    agent: Release | None = None


class Matrix(_Entry, frozen=True):
    """The whole file."""

    bad: tuple[BadRelease, ...]
    fix: tuple[SecurityFix, ...]
    pairing: tuple[Pairing, ...]
    manifest: tuple[Shipped, ...]
    minimum: Minimum
    feature: dict[str, Feature]


@lru_cache(maxsize=1)
def matrix() -> Matrix:
    """Return the version matrix that ships with this release."""
    text = (files("eksnetpol") / "data" / "releases.toml").read_text(encoding="utf-8")
    # Versions are Structs, which msgspec would read from tables; in the file they are text.
    return msgspec.convert(with_versions(msgspec.toml.decode(text)), Matrix)


_VERSION_KEYS: dict[str, type[Release | KubernetesVersion]] = {
    "from": Release,
    "before": Release,
    "since": Release,
    "cni": Release,
    "agent": Release,
    "agent_before": Release,
    "release": Release,
    "never_released": Release,
    "kubernetes": KubernetesVersion,
}


def with_versions(value: object, key: str = "") -> object:
    """Return *value*, read from a data file, with the texts that name versions as versions: by the keys they stand under."""
    if isinstance(value, dict):
        return {k: with_versions(v, "platform" if key == "platform" else k) for k, v in value.items()}
    if isinstance(value, list):
        return [with_versions(v, key) for v in value]
    if isinstance(value, str) and key == "platform":
        return PlatformVersion.parse(value)
    if isinstance(value, str) and key in _VERSION_KEYS:
        return _VERSION_KEYS[key].parse(value)
    return value
