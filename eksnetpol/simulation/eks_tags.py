"""Tags of clusters and add-ons, by ARN. Its errors are ``NotFoundException`` and ``BadRequestException``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from eksnetpol.simulation.eks import Eks, EksError

MOST = 50
"""Tags one resource may have."""


def tags_of(eks: Eks, arn: str) -> Mapping[str, str]:
    """Return the tags of the resource *arn*; raise ``NotFoundException`` where there is none."""
    cluster, addon = _find(eks, arn)
    here = eks.of(cluster)
    tags: Mapping[str, str] = (here.addons[addon] if addon else here.cluster).get("tags", {})
    return tags


def tagged(eks: Eks, arn: str, tags: Mapping[str, str]) -> Eks:
    """Return the service in which *arn* has these tags too."""
    return _with(eks, arn, {**tags_of(eks, arn), **tags})


def untagged(eks: Eks, arn: str, keys: Iterable[str]) -> Eks:
    """Return the service in which *arn* has no tags with these keys; one it never had is no error."""
    gone = frozenset(keys)
    return _with(eks, arn, {k: v for k, v in tags_of(eks, arn).items() if k not in gone})


def _with(eks: Eks, arn: str, tags: Mapping[str, str]) -> Eks:
    if len(tags) > MOST:
        raise EksError("BadRequestException", f"A resource has at most {MOST} tags")
    cluster, addon = _find(eks, arn)
    here = eks.of(cluster)
    if not addon:
        return eks.with_cluster(cluster, replace(here, cluster={**here.cluster, "tags": dict(tags)}))
    changed = {**here.addons[addon], "tags": dict(tags)}
    return eks.with_cluster(cluster, replace(here, addons={**here.addons, addon: changed}))


def _find(eks: Eks, arn: str) -> tuple[str, str]:
    for name, here in eks.clusters.items():
        if here.cluster.get("arn") == arn:
            return name, ""
        for addon, found in here.addons.items():
            if found.get("addonArn") == arn:
                return name, addon
    raise EksError("NotFoundException", f"No resource found with ARN: {arn}")
