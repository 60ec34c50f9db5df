"""Who owns which field of an object, as its books say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from eksnetpol.fields.paths import Path, parse
from eksnetpol.model.objects.metadata import ManagedField

MANAGER: Final = "eksnetpol"
"""Our own field manager."""


def owners(managed_fields: Iterable[Mapping[str, Any] | ManagedField]) -> Mapping[Path, frozenset[str]]:
    """Return the names of the managers of each field, given ``managedFields`` as JSON or as a snapshot has them.

    Only leaves are told. Who only writes the status (a controller) is left out.
    """
    found: dict[Path, set[str]] = {}
    for line in managed_fields:
        if isinstance(line, ManagedField):
            manager, subresource, fields = line.manager, line.subresource, line.fields_v1
        else:
            manager, subresource, fields = line.get("manager", ""), line.get("subresource", ""), line.get("fieldsV1")
        if subresource != "status":
            for path in parse(fields or {}):
                found.setdefault(path, set()).add(manager)
    return {path: frozenset(who) for path, who in found.items()}
