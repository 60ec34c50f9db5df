"""Short names for contents: plans, back-ups and files of a run are told apart by them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from eksnetpol.model.policies import NetworkPolicySpec


def digest_of(value: object) -> str:
    """Return sixteen hex digits that stand for *value*, which is made of what JSON has; the order of keys means nothing."""
    return digest_of_file(msgspec.json.encode(value, order="deterministic"))


def digest_of_file(data: bytes) -> str:
    """Return the sixteen hex digits that stand for a file of a run: what `Journal.save` returns."""
    return hashlib.sha256(data).hexdigest()[:16]


def digest_of_objects(objects: Iterable[Mapping[str, Any]]) -> str:
    """Return sixteen hex digits that stand for *objects*, in whatever order: what they are called, their labels, what they say.

    Status, annotations and who wrote what mean nothing, nor does an object that was made again with the same content. A snapshot
    and the API server itself give the same digest.
    """
    return digest_of(sorted(f"{name} {digest}" for name, digest in digests_of(objects).items()))


def digests_of(objects: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return a digest for each of *objects* by what it is called, group and all: what `digest_of_objects` is made of."""
    return {_called(found): digest_of(_said(found)) for found in objects}


def _called(found: Mapping[str, Any]) -> str:
    meta = found["metadata"]
    group = str(found["apiVersion"]).rpartition("/")[0]
    return "/".join(filter(None, (f"{found['kind']}.{group}".lower(), meta.get("namespace", ""), meta["name"])))


def _said(found: Mapping[str, Any]) -> Any:
    rest = {key: value for key, value in found.items() if key not in {"apiVersion", "kind", "metadata", "status"}}
    if str(found["apiVersion"]).startswith("networking.k8s.io/") and "spec" in rest:
        # A look keeps of these what somebody reads, so both are read the same way.
        spec = msgspec.convert(rest["spec"], NetworkPolicySpec)
        rest = {**rest, "spec": msgspec.to_builtins(spec)}
    return [found["metadata"].get("labels") or {}, rest]
