"""Which pods of a node an eviction moves, as ``kubectl drain --ignore-daemonsets`` tells them apart."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from eksnetpol.model.kinds import POD, Json, ObjectRef

_MIRROR = "kubernetes.io/config.mirror"
_CORDON = "node.kubernetes.io/unschedulable"
_FINISHED = frozenset({"Succeeded", "Failed"})


def movable(pods: Iterable[Json]) -> tuple[Json, ...]:
    """Return those of *pods* that an eviction moves: not a DaemonSet's, which come again at once, mirrors or finished ones."""
    return tuple(pod for pod in pods if not _stays(pod))


def returns(pod: Json) -> bool:
    """Say whether a cordon does not keep the scheduler from putting a pod back onto its node: it tolerates the taint of one.

    Cilium's operator does, and whatever tolerates everything.
    """
    return any(
        one.get("key") in {None, "", _CORDON} and one.get("effect") in {None, "", "NoSchedule"} and not one.get("value")
        for one in (pod.get("spec") or {}).get("tolerations") or ()
        if one.get("key") or one.get("operator") == "Exists"
    )


def is_ending(pod: Json) -> bool:
    """Say whether a pod is on its way out already."""
    return bool((pod.get("metadata") or {}).get("deletionTimestamp"))


def is_bare(pod: Json) -> bool:
    """Say whether nothing brings a pod back once it is gone."""
    return _controller(pod) is None


def called(pod: Json) -> str:
    """Return ``namespace/name`` of a pod."""
    meta = pod["metadata"]
    return f"{meta.get('namespace', '')}/{meta['name']}"


def ref_of_pod(pod: Json) -> ObjectRef:
    """Return the reference to a pod."""
    meta = pod["metadata"]
    return ObjectRef.to(POD, meta["name"], meta.get("namespace", ""))


def _stays(pod: Json) -> bool:
    meta = pod.get("metadata") or {}
    owner = _controller(pod)
    return (
        (owner is not None and owner.get("kind") == "DaemonSet")
        or _MIRROR in (meta.get("annotations") or {})
        or (owner is not None and owner.get("kind") == "Node")
        or (pod.get("status") or {}).get("phase") in _FINISHED
    )


def _controller(pod: Json) -> dict[str, Any] | None:
    owners = (pod.get("metadata") or {}).get("ownerReferences") or ()
    return next((one for one in owners if one.get("controller")), None)
