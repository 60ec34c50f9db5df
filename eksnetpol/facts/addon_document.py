"""Configuration values held against the add-on's schema: what is wrong where, and what was meant.

EKS validates against JSON Schema draft-06 with ``additionalProperties: false`` at every level and text for every value, so the
usual mistakes are a key one level too deep, and ``true`` or ``8163`` without quotes
(terraform-aws-modules/terraform-aws-eks#2878).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from eksnetpol.facts.configuration import AGENT_FLAGS, leaves, replaced, text_of

SWITCH = "enableNetworkPolicy"
_AGENT_KEYS = {path.removeprefix("nodeAgent.") for path in AGENT_FLAGS if path.startswith("nodeAgent.")}
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*[A-Za-z0-9]")
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong at a JSON path: ``$.env.enableNetworkPolicy``."""

    path: str
    what: str


def read_schema(text: str) -> dict[str, Any]:
    """Return a schema that can be validated against; raise `ValueError` where *text* is none."""
    import jsonschema

    try:
        schema = json.loads(text)
        jsonschema.Draft6Validator.check_schema(schema)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the schema is no JSON: {error}") from error
    except jsonschema.SchemaError as error:
        raise ValueError(f"the schema is no JSON Schema: {error.message[:_LONGEST]}") from error
    if not isinstance(schema, dict):
        raise ValueError("the schema is no JSON object")  # noqa: TRY004 - one kind of error for one kind of trouble
    return schema


def misplaced(document: Mapping[str, Any]) -> Iterator[tuple[Problem, str, str]]:
    """Yield what is at a wrong level: the problem, where it is and where it belongs, as dotted paths. Needs no schema."""
    for path, _ in leaves(document):
        parent, _, key = path.rpartition(".")
        wanted = path
        if key == SWITCH:
            wanted = SWITCH
        elif key in _AGENT_KEYS and parent in {"", "env"}:
            wanted = f"nodeAgent.{key}"
        elif not parent and _VARIABLE.fullmatch(key):
            wanted = f"env.{key}"
        if wanted != path:
            place = "at the top level" if wanted == SWITCH else f"under {wanted.partition('.')[0]}"
            yield Problem(f"$.{path}", f"{key} belongs {place}"), path, wanted


def unquoted(document: Mapping[str, Any]) -> Iterator[tuple[Problem, str, str]]:
    """Yield booleans and numbers where every schema of the add-on wants text: the problem, its path, the text."""
    for path, value in leaves(document):
        textual = path == SWITCH or path in AGENT_FLAGS or path.startswith(("env.", "init.env."))
        if textual and isinstance(value, bool | int | float):
            text = text_of(value)
            kind = "boolean" if isinstance(value, bool) else "number"
            yield Problem(f"$.{path}", f'{text} is a {kind}; it must be the text "{text}"'), path, text


def unswitched(document: Mapping[str, Any]) -> Iterator[tuple[Problem, str, str]]:
    """Yield a switch whose text is neither ``true`` nor ``false``: the controller takes all but ``true`` for off."""
    value = document.get(SWITCH)
    if isinstance(value, str) and value not in {"true", "false"}:
        meant = "true" if value.strip().lower() in {"true", "1", "yes", "on"} else "false"
        yield Problem(f"$.{SWITCH}", f'{value!r} is neither "true" nor "false"; the controller takes it for off'), SWITCH, meant


def violations(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what the schema does not allow, by path. Raises `ValueError` where the schema cannot be applied.

    References to other documents are not followed: nothing here may use the network.
    """
    import jsonschema
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    registry: Registry[Any] = Registry()
    validator = jsonschema.Draft6Validator(schema, registry=registry)
    try:
        errors = sorted(validator.iter_errors(document), key=lambda e: (e.json_path, e.message))
    except (Unresolvable, re.error, RecursionError) as error:
        raise ValueError(f"the schema cannot be applied: {error}") from error
    for found in errors:
        properties = found.schema.get("properties", {}) if isinstance(found.schema, Mapping) else {}
        if found.validator == "additionalProperties" and isinstance(found.instance, Mapping):
            for key in found.instance:
                if key not in properties:
                    yield Problem(f"{found.json_path}.{key}", "this version of the add-on knows no such key here")
        else:
            yield Problem(found.json_path, found.message[:_LONGEST])


def corrected(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return *document* with keys at their level, values in quotes and the switch spelled as the controller reads it."""
    fixed = dict(document)
    # One at a time: putting a key where it belongs can displace another that was in its way.
    while (first := next(misplaced(fixed), None)) is not None:
        _, path, wanted = first
        known = dict(leaves(fixed))
        fixed = replaced(fixed, path, None)
        if wanted not in known:
            fixed = replaced(fixed, wanted, known[path])
    for find in (unquoted, unswitched):
        for _, path, text in tuple(find(fixed)):
            fixed = replaced(fixed, path, text)
    return fixed
