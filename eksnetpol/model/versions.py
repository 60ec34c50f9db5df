"""Versions as the field writes them, as values that compare.

`packaging.Version` rejects ``v1.14.0-eksbuild.3`` and semantic versioning would sort it *below* ``1.14.0``, so that the first
release with network policy would count as too old. Here ``-eksbuild.N`` is a build of the release and sorts above it, ``-rcN``
sorts below it.
"""

from __future__ import annotations

import re
from typing import Self

import msgspec

_KUBERNETES = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?(?:[-+.].*)?")
_RELEASE = re.compile(r"v?(\d+)\.(\d+)\.(\d+)(?:-rc\.?(\d+))?(?:-eksbuild\.(\d+))?")
_PLATFORM = re.compile(r"eks\.(\d+)")


class KubernetesVersion(msgspec.Struct, frozen=True, order=True):
    """A Kubernetes version as far as it decides anything: ``1.31``. Reads ``1.31``, ``v1.31.4-eks-ba24e9c``, ``1.31+``."""

    major: int
    minor: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read *text*; raise `ValueError` when it is no Kubernetes version."""
        found = _KUBERNETES.fullmatch(text.strip())
        if not found:
            # Some API servers report the minor as "31+", which marks a build with patches.
            found = _KUBERNETES.fullmatch(text.strip().removesuffix("+"))
        if not found:
            message = f"{text!r} is not a Kubernetes version such as 1.31"
            raise ValueError(message)
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


class PlatformVersion(msgspec.Struct, frozen=True, order=True):
    """An EKS platform version, ``eks.7``. Comparable only within one Kubernetes minor."""

    number: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read *text*; raise `ValueError` when it is no platform version."""
        found = _PLATFORM.fullmatch(text.strip())
        if not found:
            message = f"{text!r} is not an EKS platform version such as eks.7"
            raise ValueError(message)
        return cls(int(found[1]))

    def __str__(self) -> str:
        return f"eks.{self.number}"


class Release(msgspec.Struct, frozen=True):
    """A release of the VPC CNI, of its agent or of the add-on: ``v1.19.2-eksbuild.1``, ``1.14.0``, ``v1.16.3-rc1``."""

    major: int
    minor: int
    patch: int
    candidate: int | None = None
    build: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read *text*; raise `ValueError` when it has not the form ``[v]X.Y.Z[-rcN][-eksbuild.N]``."""
        found = _RELEASE.fullmatch(text.strip())
        if not found:
            message = f"{text!r} is not a release such as v1.19.2 or v1.19.2-eksbuild.1"
            raise ValueError(message)
        candidate, build = (int(g) if g is not None else None for g in found.group(4, 5))
        return cls(int(found[1]), int(found[2]), int(found[3]), candidate, build)

    @classmethod
    def try_parse(cls, text: str | None) -> Self | None:
        """Read *text*, or return None where it is no release."""
        try:
            return cls.parse(text) if text else None
        except ValueError:
            return None

    @property
    def base(self) -> Release:
        """The release without candidate and build: what bounds such as *1.14.0 and later* are stated in."""
        return Release(self.major, self.minor, self.patch)

    @property
    def _key(self) -> tuple[int, int, int, float, int]:
        candidate = float("inf") if self.candidate is None else self.candidate
        return (self.major, self.minor, self.patch, candidate, -1 if self.build is None else self.build)

    # Struct has all four comparisons, so each is said here; `functools.total_ordering` would leave its own in place.
    def __lt__(self, other: Release) -> bool:
        return self._key < other._key

    def __le__(self, other: Release) -> bool:
        return self._key <= other._key

    def __gt__(self, other: Release) -> bool:
        return self._key > other._key

    def __ge__(self, other: Release) -> bool:
        return self._key >= other._key

    def __str__(self) -> str:
        candidate = "" if self.candidate is None else f"-rc{self.candidate}"
        build = "" if self.build is None else f"-eksbuild.{self.build}"
        return f"v{self.major}.{self.minor}.{self.patch}{candidate}{build}"


class ImageReference(msgspec.Struct, frozen=True):
    """A container image reference, cut at its joints. ``tag`` and ``digest`` are empty where the reference has none."""

    repository: str
    tag: str = ""
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Cut *text*: ``host:port/path/name:tag@sha256:...``. Never fails; what cannot be cut stays in ``repository``."""
        rest, _, digest = text.partition("@")
        # A colon after the last slash starts the tag; before it, it starts the registry's port.
        slash = rest.rfind("/")
        colon = rest.rfind(":")
        if colon > slash:
            return cls(rest[:colon], rest[colon + 1 :], digest)
        return cls(rest, "", digest)

    @property
    def release(self) -> Release | None:
        """The release the tag names; None where there is no tag or it is no release (``latest``, a digest alone)."""
        return Release.try_parse(self.tag)

    @property
    def name(self) -> str:
        """The last part of the repository, e.g. ``amazon-k8s-cni``: registries differ per region, partition and mirror."""
        return self.repository.rsplit("/", 1)[-1]
