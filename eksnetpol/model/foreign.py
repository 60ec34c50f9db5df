"""Policies of other engines, as they were written: their dialects are read by `engines/`, whole, or not at all."""

from __future__ import annotations

from typing import Any

import msgspec

from eksnetpol.model.objects.metadata import ApiObject, ObjectMeta


class ForeignPolicy(ApiObject, frozen=True):
    """One object of another engine's kinds: a policy, or what policies refer to (sets, groups, tiers).

    ``body`` is the object in the API's own JSON but for its status, ``managedFields`` and annotations.
    """

    metadata: ObjectMeta
    api_version: str = ""
    kind: str = ""
    body: dict[str, Any] = msgspec.field(default_factory=dict)


_LEFT_OUT = ("managedFields", "annotations", "selfLink")


def foreign_policy(found: dict[str, Any], api_version: str, kind: str) -> ForeignPolicy:
    """Return *found*, an object of *kind*, as it is kept. Raises `msgspec.ValidationError` where its metadata are none."""
    raw = found.get("metadata") or {}
    meta = msgspec.convert({k: v for k, v in raw.items() if k not in _LEFT_OUT}, ObjectMeta)
    body = {"apiVersion": api_version, "kind": kind, **{k: v for k, v in found.items() if k != "status"}}
    body["metadata"] = {k: v for k, v in raw.items() if k not in _LEFT_OUT}
    return ForeignPolicy(meta, api_version, kind, body)
