"""The manifests that AWS ships, and what is said of two objects that are the same."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from functools import cache
from typing import Any

import yaml

from eksnetpol.model.versions import Release
from tests.testbed.scenario import DATA

Json = dict[str, Any]

RELEASES = tuple(
    sorted(release for path in (DATA / "vpc-cni").iterdir() if (release := Release.parse(path.name)) >= Release(1, 14, 0))
)
"""Every release with network policy whose manifest is at hand."""


@cache
def _text(release: Release) -> str:
    return (DATA / "vpc-cni" / str(release) / "aws-k8s-cni.yaml").read_text()


def upstream(release: Release) -> list[Json]:
    """Return the objects of a release's manifest."""
    return [document for document in yaml.load_all(_text(release), yaml.CSafeLoader) if document]


def of_kind(objects: Iterable[Json], kind: str) -> Json:
    """Return the one object of a kind."""
    (found,) = (o for o in objects if o["kind"] == kind)
    return found


def by_name(objects: Iterable[Json]) -> dict[tuple[str, str], Json]:
    """Return objects by kind and name."""
    return {(o["kind"], o["metadata"]["name"]): o for o in objects}


def container(daemonset: Json, name: str) -> Json:
    """Return a container of a DaemonSet, or of its init containers."""
    spec = daemonset["spec"]["template"]["spec"]
    found: list[Json] = [c for c in (*spec["containers"], *spec.get("initContainers", ())) if c["name"] == name]
    assert len(found) == 1
    return found[0]


def enabled(objects: Iterable[Json]) -> list[Json]:
    """Return *objects* with the flag and the key that turn network policy on, and nothing else changed."""
    turned = copy.deepcopy(list(objects))
    agent = container(of_kind(turned, "DaemonSet"), "aws-eks-nodeagent")
    position = agent["args"].index("--enable-network-policy=false")
    agent["args"][position] = "--enable-network-policy=true"
    data = of_kind(turned, "ConfigMap")["data"]
    assert data["enable-network-policy-controller"] == "false"
    data["enable-network-policy-controller"] = "true"
    return turned


def without_prose(value: Any) -> Any:
    """Return a definition without its descriptions, which nothing acts on."""
    if isinstance(value, dict):
        return {k: without_prose(v) for k, v in value.items() if not (k == "description" and isinstance(v, str))}
    if isinstance(value, list | tuple):
        return [without_prose(v) for v in value]
    return value


def plain(objects: Iterable[Json]) -> dict[tuple[str, str], Json]:
    """Return objects by name, as far as they are compared in files: null says nothing."""
    compared = by_name(without_prose(list(objects)))
    for found in compared.values():
        found["metadata"].pop("creationTimestamp", None)
    return compared
