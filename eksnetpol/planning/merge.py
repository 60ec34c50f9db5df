"""The add-on's configuration with a few keys set: everything else stays as it is stored.

EKS replaces the whole document and validates it against the schema of the version it is for. A stored document that this schema
refuses (``true`` without quotes, a key at the wrong level) is put right first, but only then.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eksnetpol.errors import EksNetpolError
from eksnetpol.facts.addon_document import Problem, corrected, misplaced, read_schema, unquoted, unswitched, violations
from eksnetpol.facts.configuration import leaves, replaced
from eksnetpol.model.eks import AddonSchema

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Merged:
    """A document to send. ``problems`` were found in the stored one and, where ``is_corrected``, are put right in this one.

    ``refused`` is what the schema still does not allow: EKS would reject the document.
    """

    document: Json
    problems: tuple[Problem, ...] = ()
    refused: tuple[Problem, ...] = ()
    is_corrected: bool = False

    @property
    def text(self) -> str:
        """The document as one JSON text, as EKS takes it; empty for an empty document."""
        return json.dumps(self.document, separators=(",", ":"), default=str) if self.document else ""


def schema_for(found: AddonSchema | None, version: str) -> Json | None:
    """Return the schema of the add-on's *version*, None where *found* is another's or none.

    Raises `EksNetpolError` for a schema that cannot be read.
    """
    if found is None or found.addon_version != version or not found.configuration_schema:
        return None
    try:
        return read_schema(found.configuration_schema)
    except ValueError as error:
        raise EksNetpolError(f"the configuration schema of the add-on vpc-cni {version} cannot be read: {error}") from error


def merged(stored: Mapping[str, Any], wanted: Mapping[str, str], schema: Mapping[str, Any]) -> Merged:
    """Return *stored* with the values of *wanted*, which are texts by dotted path, as *schema* allows it.

    A text becomes a number, a truth value or a list only where the schema asks for one. Raises `EksNetpolError` where the schema
    cannot be applied.
    """
    problems = tuple(p for find in (misplaced, unquoted, unswitched) for p, _, _ in find(stored))
    try:
        document = _set(stored, wanted, schema)
        refused = tuple(violations(document, schema))
        if not refused or not problems:
            return Merged(document, problems, refused)
        document = _set(corrected(stored), wanted, schema)
        return Merged(document, problems, tuple(violations(document, schema)), is_corrected=True)
    except ValueError as error:
        raise EksNetpolError(f"the add-on's configuration cannot be held against its schema: {error}") from error


def has_key(schema: Mapping[str, Any], path: str) -> bool:
    """Say whether *schema* has a key at a dotted *path*."""
    return part_of(schema, path) is not None


def part_of(schema: Mapping[str, Any], path: str) -> Mapping[str, Any] | None:
    """Return the part of *schema* that is about a dotted *path*; None where there is no such key."""
    part: Mapping[str, Any] | None = _resolved(schema, schema)
    for key in path.split("."):
        if part is None:
            return None
        properties = part.get("properties")
        below = properties.get(key) if isinstance(properties, Mapping) else None
        part = _resolved(schema, below) if isinstance(below, Mapping) else None
    return part


def changed_leaves(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return the values of two documents that differ, by dotted path: before and after, None for what is not there."""
    old, new = dict(leaves(before)), dict(leaves(after))
    found = {p: (old.get(p), new.get(p)) for p in sorted({*old, *new}) if old.get(p) != new.get(p)}
    # A mapping without keys is a leaf, and no longer one as soon as it has a key: that key is what changed.
    return {p: values for p, values in found.items() if values != ({}, None) or not any(q.startswith(f"{p}.") for q in new)}


def _set(document: Mapping[str, Any], wanted: Mapping[str, str], schema: Mapping[str, Any]) -> Json:
    changed = dict(document)
    for path, text in wanted.items():
        changed = replaced(changed, path, _typed(part_of(schema, path), text))
    return changed


def _typed(part: Mapping[str, Any] | None, text: str) -> Any:
    types = (part or {}).get("type", "string")
    allowed = {types} if isinstance(types, str) else set(types)
    if "string" in allowed:
        return text
    try:
        return json.loads(text)
    except ValueError:
        # The schema says better what is wrong with it.
        return text


def _resolved(schema: Mapping[str, Any], part: Mapping[str, Any]) -> Mapping[str, Any] | None:
    for _ in range(8):
        reference = part.get("$ref")
        if not isinstance(reference, str):
            return part
        if not reference.startswith("#/"):
            return None
        found: Any = schema
        for step in reference.removeprefix("#/").split("/"):
            found = found.get(step) if isinstance(found, Mapping) else None
        if not isinstance(found, Mapping):
            return None
        part = found
    return None
