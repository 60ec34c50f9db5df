"""Which release is meant, and the way there: one minor version at a time, each time to that minor's best patch.

That is how AWS advises to update the add-on (docs.aws.amazon.com/eks, "Update the Amazon VPC CNI"); no API was seen to enforce
it. A release that is known to do harm is no stop on the way: where a minor version has no other, it is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from eksnetpol.assets.releases import BadRelease, Matrix
from eksnetpol.errors import UsageError
from eksnetpol.model.eks import AddonRelease
from eksnetpol.model.versions import KubernetesVersion, Release

FIRST = Release(1, 14, 0)
"""The first release with network policy."""

STRICT_MODE = Release(1, 17, 1)
"""The first release whose manifest sets the enforcing mode."""

LATEST = "latest"
RECOMMENDED = "recommended"

_MINOR = re.compile(r"v?(\d+)\.(\d+)")
_SHOWN = 12
_LONG = 1000


@dataclass(frozen=True, slots=True)
class Harm:
    """What a release does that it should not. ``certain`` is False where only upstream's agent of that release is known to."""

    bad: BadRelease
    release: Release
    certain: bool

    def __str__(self) -> str:
        doubt = "" if self.certain else "by the agent upstream pairs it with, "
        return f"{self.release}: {doubt}it {self.bad.symptom}; fixed in {self.bad.fixed}"


@dataclass(frozen=True, slots=True)
class Road:
    """Where to and by which stops. ``hops`` ends with ``target``, and is empty where that is what runs or is behind it.

    ``left_out`` are minor versions on the way that have no release fit to stop at.
    """

    target: Release
    hops: tuple[Release, ...]
    left_out: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Market:
    """The releases there are to choose from. ``whose`` begins a sentence: *EKS offers*; ``family`` is the cluster's."""

    releases: tuple[Release, ...]
    whose: str
    known: Matrix
    family: str = "ipv4"

    def harms(self, release: Release) -> tuple[Harm, ...]:
        """Return what is known against *release*; advice does not count.

        The agent is that of upstream's manifest: EKS's builds may carry another, which cannot be told before they run.
        """
        agents = [m.agent for m in self.known.manifest if m.cni == release.base]
        found = []
        for bad in self.known.bad:
            severity = bad.severity_ipv6 if self.family == "ipv6" and bad.severity_ipv6 else bad.severity
            if severity == "advice":
                continue
            if bad.of == "cni" and bad.holds(release):
                found.append(Harm(bad, release, certain=True))
            if bad.of == "agent" and any(bad.holds(agent) for agent in agents):
                found.append(Harm(bad, release, certain=release.build is None))
        return tuple(found)

    def lacks(self, release: Release) -> tuple[str, ...]:
        """Return the defects with consequences for security that *release* still has, as far as that was read in a release."""
        return tuple(fix.what for fix in self.known.fix if not fix.unverified and release.base < fix.cni)

    @property
    def fit(self) -> tuple[Release, ...]:
        """Releases that nothing is known against, candidates left out; the oldest first."""
        return tuple(r for r in self.releases if r.candidate is None and not self.harms(r))

    def choose(self, wanted: str) -> Release:
        """Return the release that *wanted* means; raise `UsageError` where there is none, with the nearest and the list.

        ``latest`` is the newest there is, whatever is known against it; ``recommended`` the newest that nothing is known against.
        """
        word = wanted.strip().lower()
        if not self.releases:
            raise UsageError(f"{self.whose} no release of the VPC CNI that suits this cluster, so there is nothing to upgrade to")
        if word == LATEST:
            return max((r for r in self.releases if r.candidate is None), default=self.releases[-1])
        if word == RECOMMENDED:
            if not self.fit:
                found = _listed(self.releases)
                raise UsageError(f"something is known against every release; {self.whose} {found}; say which with --to")
            return self.fit[-1]
        return self._named(wanted)

    def _named(self, wanted: str) -> Release:
        found = _MINOR.fullmatch(wanted.strip())
        if found:
            minor = int(found[1]), int(found[2])
            best = self.best(minor)
            if best is not None:
                return best
            raise self._unknown(wanted, Release(*minor, 0))
        asked = Release.try_parse(wanted)
        if asked is None:
            forms = f"say v1.20.5-eksbuild.1, 1.20.5, 1.20, {LATEST} or {RECOMMENDED}"
            raise UsageError(f"--to {wanted}: that is no version of the VPC CNI; {forms}")
        if asked in self.releases:
            return asked
        builds = [r for r in self.releases if r.base == asked and asked.build is None and asked.candidate is None]
        if builds:
            return max(builds)
        raise self._unknown(wanted, asked)

    def _unknown(self, wanted: str, asked: Release) -> UsageError:
        nearest = min(self.releases, key=lambda r: (_distance(r, asked), r < asked))
        return UsageError(
            f"--to {wanted}: {self.whose} no such release; the nearest is {nearest}. There are: {_listed(self.releases)}"
        )

    def best(self, minor: tuple[int, int]) -> Release | None:
        """Return the newest release of *minor* that nothing is known against, else its newest; None where it has none."""
        here = [r for r in self.releases if minor_of(r) == minor and r.candidate is None]
        return max([r for r in here if not self.harms(r)] or here, default=None)

    def road(self, running: Release, target: Release) -> Road:
        """Return the way from *running* to *target*."""
        if target <= running or (target.build is None and target.base == running.base):
            return Road(target, ())
        between = sorted({minor_of(r) for r in self.releases if minor_of(running) < minor_of(r) < minor_of(target)})
        stops = {minor: self.best(minor) for minor in between}
        fit = {minor: stop for minor, stop in stops.items() if stop is not None and not self.harms(stop)}
        return Road(target, (*fit.values(), target), tuple(minor for minor in between if minor not in fit))


def minor_of(release: Release) -> tuple[int, int]:
    """Return major and minor."""
    return release.major, release.minor


def offers(addon_releases: Iterable[AddonRelease], version: KubernetesVersion) -> tuple[Release, ...]:
    """Return the add-on versions EKS offers for a Kubernetes *version*, those that do harm included, the oldest first."""

    def suiting() -> Iterator[Release]:
        for entry in addon_releases:
            release = Release.try_parse(entry.addon_version)
            if release is not None and any(c.cluster_version == str(version) for c in entry.compatibilities):
                yield release

    return tuple(sorted(set(suiting())))


def upstream(known: Matrix) -> tuple[Release, ...]:
    """Return upstream's releases with network policy, the oldest first."""
    return tuple(sorted(m.cni for m in known.manifest))


def _distance(release: Release, asked: Release) -> int:
    """Return how far two releases are apart on a line on which a minor version is as long as any number of patches."""
    one, other = ((r.major * _LONG + r.minor) * _LONG + r.patch for r in (release, asked))
    return abs(one - other)


def _listed(releases: Sequence[Release]) -> str:
    newest = [str(r) for r in reversed(releases)]
    rest = f" and {len(newest) - _SHOWN} older" if len(newest) > _SHOWN else ""
    return ", ".join(newest[:_SHOWN]) + rest
