"""Metadata, and what every object of the API has in common here."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

_NOTHING = msgspec.Raw(b"{}")


class ApiObject(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """What all structs here have in common: frozen, named as in the API, and invisible to the cyclic collector."""


class OwnerReference(ApiObject, frozen=True):
    """Who an object belongs to."""

    kind: str = ""
    name: str = ""
    uid: str = ""
    api_version: str = ""
    controller: bool = False


class ManagedField(ApiObject, frozen=True):
    """One manager's share of an object. ``fields_v1`` is kept only where ownership per field matters."""

    manager: str = ""
    operation: str = ""
    subresource: str = ""
    time: datetime | None = None
    fields_v1: dict[str, Any] | None = msgspec.field(default=None, name="fieldsV1")


class ObjectMeta(ApiObject, frozen=True):
    """Metadata of everything but pods."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    annotations: dict[str, str] = msgspec.field(default_factory=dict)
    owner_references: tuple[OwnerReference, ...] = ()
    finalizers: tuple[str, ...] = ()
    generation: int = 0
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    managed_fields: tuple[ManagedField, ...] = ()


class PodMeta(ApiObject, frozen=True):
    """Metadata of a pod, its labels undecoded."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    labels: msgspec.Raw = _NOTHING
    annotations: dict[str, str] = msgspec.field(default_factory=dict)
    owner_references: tuple[OwnerReference, ...] = ()
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None


class Named(ApiObject, frozen=True):
    """An object that is spoken of by its name."""

    metadata: ObjectMeta

    @property
    def name(self) -> str:
        """Its name."""
        return self.metadata.name

    @property
    def namespace(self) -> str:
        """Its namespace, empty for what belongs to the whole cluster."""
        return self.metadata.namespace
