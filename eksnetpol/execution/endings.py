"""What keeps an object that is being deleted from going, and the smallest patch that lets it go."""

from __future__ import annotations

import json
import shlex
from datetime import datetime
from typing import Any

import msgspec

from eksnetpol.execution.written import by_whom
from eksnetpol.model.kinds import NODE, Json, ObjectRef

_OF_THE_SERVER = frozenset({"foregroundDeletion", "orphan", "customresourcecleanup.apiextensions.k8s.io"})
"""Finalizers that the control plane itself takes off, once what they stand for is gone."""


def ending(live: Json) -> str:
    """Return in words that something is ending and what holds it, to be said after its name; empty where it is not."""
    meta = live.get("metadata") or {}
    if not meta.get("deletionTimestamp"):
        return ""
    held = meta.get("finalizers") or ()
    told = [f"held by finalizer {', '.join(held)}"] if held else []
    status = live.get("status") or {}
    if status.get("phase") == "Terminating":
        # Of a namespace, what its controller says of it.
        said = (one.get("message") for one in status.get("conditions") or () if one.get("status") == "True")
        told += [words for words in said if words][:2]
    return f" ({', '.join(('ending', *told))})"


def letting_go(ref: ObjectRef, live: Json) -> str:
    """Return the command that takes the finalizers off an object that is ending; empty where that is nobody's to do by hand.

    It fails where the object is another one, or where its finalizers are no longer these: then somebody is at work after all.
    """
    meta = live.get("metadata") or {}
    held = list(meta.get("finalizers") or ())
    if not meta.get("deletionTimestamp") or not held or set(held) & _OF_THE_SERVER:
        return ""
    patch: list[dict[str, Any]] = [
        *([{"op": "test", "path": "/metadata/uid", "value": meta["uid"]}] if meta.get("uid") else []),
        {"op": "test", "path": "/metadata/finalizers", "value": held},
        {"op": "remove", "path": "/metadata/finalizers"},
    ]
    where = f" -n {shlex.quote(ref.namespace)}" if ref.namespace else ""
    text = shlex.quote(json.dumps(patch, separators=(",", ":")))
    return f"kubectl patch {ref.of_kind} {shlex.quote(ref.name)}{where} --type=json -p {text}"


def by_whom_anew(live: Json, since: datetime | None) -> str:
    """Return in words that an object that is not ending was made again after *since*, and by whom; empty where it was not."""
    meta = live.get("metadata") or {}
    try:
        made = msgspec.convert(meta.get("creationTimestamp"), datetime)
    except msgspec.ValidationError:
        return ""
    if since is None or made <= since:
        return ""
    return f" (made again at {meta['creationTimestamp']}{by_whom(live)}: somebody puts it back, and has to leave it first)"


def staying(live: Json) -> str:
    """Return in words how a node that was drained goes; empty for all else: a deletion is waited for by itself."""
    if live.get("kind") != NODE.name or not (live.get("spec") or {}).get("unschedulable"):
        return ""
    instance = str((live.get("spec") or {}).get("providerID") or "").rpartition("/")[2] or "ID"
    return (
        " (drained; who brought it takes it away: aws autoscaling terminate-instance-in-auto-scaling-group --instance-id "
        f"{instance} --should-decrement-desired-capacity; one of Karpenter's: kubectl delete node {live['metadata']['name']})"
    )
