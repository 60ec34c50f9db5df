"""Policies of other engines, as they were written: their dialects are read by `engines/`, whole, or not at all."""

from __future__ import annotations

from collections.abc import Iterable
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


_NAMING_SERVICES = frozenset({"services", "toServices"})
"""Members of rules that mean what is behind Services: Calico's and Cilium's."""


def names_services(policies: Iterable[ForeignPolicy]) -> bool:
    """Say whether any of *policies* may mean what is behind a Service."""
    return any(_has_any(policy.body, _NAMING_SERVICES) for policy in policies)


def _has_any(value: Any, names: frozenset[str]) -> bool:
    if isinstance(value, dict):
        return any((key in names and bool(member)) or _has_any(member, names) for key, member in value.items())
    return isinstance(value, list) and any(_has_any(member, names) for member in value)


_LEFT_OUT = ("managedFields", "annotations", "selfLink")


def foreign_policy(found: dict[str, Any], api_version: str, kind: str) -> ForeignPolicy:
    """Return *found*, an object of *kind*, as it is kept. Raises `msgspec.ValidationError` where its metadata are none."""
    raw = found.get("metadata") or {}
    meta = msgspec.convert({k: v for k, v in raw.items() if k not in _LEFT_OUT}, ObjectMeta)
    body = {"apiVersion": api_version, "kind": kind, **{k: v for k, v in found.items() if k != "status"}}
    body["metadata"] = {k: v for k, v in raw.items() if k not in _LEFT_OUT}
    return ForeignPolicy(meta, api_version, kind, body)
