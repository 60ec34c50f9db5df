"""What a CustomResourceDefinition's schemas say, as one short text: equal digests mean that the same objects are valid."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

_NAMED = ("properties", "patternProperties", "definitions")
"""Members of a schema that hold schemas by a name of the author's choice."""

_LISTED = ("allOf", "anyOf", "oneOf")
_SINGLE = ("not", "items", "additionalProperties")
_ABSENT_WHEN_FALSE = ("nullable", "uniqueItems", "exclusiveMinimum", "exclusiveMaximum", "x-kubernetes-embedded-resource")
_SETS = ("required", "type")


def schema_digest(schemas: Mapping[str, Any]) -> str:
    """Return the SHA-256, in hex, of a CustomResourceDefinition's schemas by version name.

    A schema is what stands in ``spec.versions[].schema`` of that version. Descriptions, the order of members and what the API
    server leaves out because it is the default do not count, so a file and what a server says of it once it is applied have the
    same digest, and so have two releases that differ in prose alone.
    """
    shapes = {
        version: _schema(schema.get("openAPIV3Schema") or {}) if isinstance(schema, dict) else {}
        for version, schema in schemas.items()
    }
    return hashlib.sha256(msgspec.json.encode(shapes, order="sorted")).hexdigest()


def _schema(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    kept = {key: _member(key, value) for key, value in schema.items() if key != "description"}
    return {k: v for k, v in kept.items() if not _says_nothing(k, v)}


def _member(key: str, value: Any) -> Any:
    if key in _NAMED and isinstance(value, dict):
        return {name: _schema(inner) for name, inner in value.items()}
    if key in _LISTED and isinstance(value, list):
        return [_schema(inner) for inner in value]
    if key in _SINGLE:
        return _schema(value)
    if key in _SETS and isinstance(value, list):
        return sorted(value)
    return value


def _says_nothing(key: str, value: Any) -> bool:
    return (key in _ABSENT_WHEN_FALSE and value is False) or (key in (*_SETS, *_NAMED, *_LISTED) and value in ([], {}))
