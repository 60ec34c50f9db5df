"""Reads an OpenAPI schema for what matters to fields: which lists are divided by which keys, and what is one undivided value.

What is made here is *structure*, kept small enough to ship (``data/structure.json``). A structure is one of

- ``null``: a leaf, be it a string, a list that is replaced as a whole, or an object that is;
- ``"Name"``: the structure of that name in the table;
- ``"*"``: whatever it turns out to be, its objects divided, its lists leaves (a schema that says nothing);
- ``{"fields": {...}, "rest": ...}``: an object; its fields that are divided further, and the structure of all other keys;
- ``{"list": ["name"], "of": ..., "defaults": {...}}``: a list whose entries are known by these keys;
- ``{"set": true}``: a list whose entries are known by their values.

The rules are those of k8s.io/kube-openapi (``schemaconv``): ``x-kubernetes-list-type``, else the patch strategy, and
``x-kubernetes-map-type``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Structure = Any
"""A structure as above."""

WHATEVER = "*"

_WHOLE = frozenset({"Quantity", "RawExtension"})
"""Types that are one value whatever their schema says, as the API server has it."""


def type_name(reference: str) -> str:
    """Return the last word of a reference or of a schema's name: ``PodSpec``."""
    return reference.rpartition("/")[2].rpartition(".")[2]


def reduced(schema: Mapping[str, Any], models: Mapping[str, Mapping[str, Any]], *, open_: bool = False) -> Structure:
    """Return the structure of *schema*; the types it refers to stay names, unless they are leaves.

    *models* are the schemas by their full name; *open_* says that fields nobody names may be there (``preserve-unknown-fields``).
    """
    reference = _reference(schema)
    if reference:
        return None if schema.get("x-kubernetes-map-type") == "atomic" else _named(reference, models)
    open_ = open_ or schema.get("x-kubernetes-preserve-unknown-fields") is True
    match schema.get("type", ""):
        case "array":
            return _list(schema, models, open_=open_)
        case "object":
            return _object(schema, models, open_=open_)
        case "" if schema.get("properties"):
            return _object(schema, models, open_=open_)
        case "":
            return WHATEVER
        case _:
            return None


def _reference(schema: Mapping[str, Any]) -> str:
    parts = schema.get("allOf", ())
    return str(schema.get("$ref") or (parts[0].get("$ref", "") if len(parts) == 1 else ""))


def _named(reference: str, models: Mapping[str, Mapping[str, Any]]) -> Structure:
    name = type_name(reference)
    if name in _WHOLE:
        return None
    model = models[reference.rpartition("/")[2]]
    kind = model.get("type", "")
    if kind not in {"object", ""} or model.get("x-kubernetes-map-type") == "atomic":
        return None
    return name if model.get("properties") else reduced(model, models)


def _object(schema: Mapping[str, Any], models: Mapping[str, Mapping[str, Any]], *, open_: bool) -> Structure:
    if schema.get("x-kubernetes-map-type") == "atomic":
        return None
    properties = schema.get("properties", {})
    fields = {name: reduced(below, models, open_=open_) for name, below in properties.items()}
    found: dict[str, Structure] = {"fields": {name: below for name, below in sorted(fields.items()) if below is not None}}
    more = schema.get("additionalProperties")
    if isinstance(more, Mapping):
        found["rest"] = reduced(more, models, open_=open_)
    elif more or (more is None and (open_ or not properties)):
        found["rest"] = WHATEVER
    return found


def _list(schema: Mapping[str, Any], models: Mapping[str, Mapping[str, Any]], *, open_: bool) -> Structure:
    keys = _keys(schema)
    if keys is None:
        return None
    if not keys:
        return {"set": True}
    items = schema.get("items", {})
    reference = _reference(items)
    properties = (models[reference.rpartition("/")[2]] if reference else items).get("properties", {})
    defaults = {key: properties[key]["default"] for key in keys if properties.get(key, {}).get("default") not in (None, 0, "")}
    found = {"list": keys, "of": reduced(items, models, open_=open_)}
    return found | ({"defaults": defaults} if defaults else {})


def _keys(schema: Mapping[str, Any]) -> list[str] | None:
    """Return the keys of a list's entries, none for a set, None for a list that is one value."""
    match schema.get("x-kubernetes-list-type"):
        case "map":
            return list(schema["x-kubernetes-list-map-keys"])
        case "set":
            return []
        case None if "merge" in str(schema.get("x-kubernetes-patch-strategy", "")).split(","):
            key = schema.get("x-kubernetes-patch-merge-key")
            return [key] if key else []
        case _:
            return None


def table(models: Mapping[str, Mapping[str, Any]], roots: Mapping[str, str]) -> dict[str, Structure]:
    """Return the structures by name that are needed for *roots*, which maps a kind to the full name of its schema."""
    by_name = {type_name(full): full for full in models}
    found: dict[str, Structure] = {}
    wanted = [type_name(full) for full in roots.values()]
    while wanted:
        name = wanted.pop()
        if name in found:
            continue
        found[name] = reduced(models[by_name[name]], models)
        wanted += _names(found[name])
    return dict(sorted(found.items()))


def empty(full: str, models: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return what an object of a schema holds when nothing is said about it, as far as it divides: what is always written.

    Those are the parts that default to an empty object, and lists that are required; ``spec.template`` of a DaemonSet is one.
    """
    found: dict[str, Any] = {}
    model = models[full]
    for name, below in sorted(model.get("properties", {}).items()):
        reference = _reference(below)
        if reference and below.get("default") == {} and isinstance(_named(reference, models), str):
            found[name] = empty(reference.rpartition("/")[2], models)
        elif name in model.get("required", ()) and reduced(below, models) is not None and not reference:
            found[name] = None
    return found


def _names(structure: Structure) -> list[str]:
    if isinstance(structure, str):
        return [structure] if structure != WHATEVER else []
    if not isinstance(structure, Mapping):
        return []
    parts = [*structure.get("fields", {}).values(), structure.get("rest"), structure.get("of")]
    return [name for part in parts for name in _names(part)]
