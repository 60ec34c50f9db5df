"""Paths to fields, as ``metadata.managedFields`` writes them (FieldsV1), and as the API server says them in a conflict.

A path is a tuple of FieldsV1's own elements: ``f:spec`` names a field, ``k:{"name":"aws-node"}`` the entry of a list by its keys,
``v:"x"`` the entry of a set by its value, ``i:0`` an entry by its place (KEP-555, "Server-side apply"; the FieldsV1 type in
k8s.io/apimachinery). In words: ``.spec.template.spec.containers[name="aws-node"].args``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

Path = tuple[str, ...]
"""A field's place in an object. The empty path is the object."""

Tree = dict[str, Any]
"""FieldsV1: elements nested into each other; ``.`` beside others means that the element itself is of the set as well."""

PLAIN_MAPS = frozenset(
    {"annotations", "binaryData", "data", "labels", "limits", "matchLabels", "nodeSelector", "requests", "stringData"}
)
"""Fields whose keys are people's own and may hold dots: whatever follows one of them in a text is one key."""

_ELEMENTS = ("f:", "k:", "v:", "i:")
_ESCAPED = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})


def parse(fields_v1: Mapping[str, Any]) -> frozenset[Path]:
    """Return the leaves of a FieldsV1: what has nothing below it in the set. Elements of a kind nobody knows are left out."""
    return frozenset(path for path, leaf, _ in _walk(fields_v1, ()) if leaf)


def members(fields_v1: Mapping[str, Any]) -> frozenset[Path]:
    """Return everything a FieldsV1 holds: its leaves, and what is marked with ``.`` although there is more below it."""
    return frozenset(path for path, leaf, marked in _walk(fields_v1, ()) if leaf or marked)


def _walk(fields: Mapping[str, Any], above: Path) -> Iterator[tuple[Path, bool, bool]]:
    """Yield every path, whether nothing is below it, and whether it is marked as a member although something is."""
    for element, below in fields.items():
        if element == "." or not element.startswith(_ELEMENTS):
            continue
        path = (*above, _canonical(element))
        inner = below if isinstance(below, Mapping) else {}
        deeper = any(key.startswith(_ELEMENTS) for key in inner)
        yield path, not deeper, "." in inner
        if deeper:
            yield from _walk(inner, path)


def as_v1(paths: Iterable[Path]) -> Tree:
    """Return the FieldsV1 that holds exactly *paths*, its elements in the API server's order."""
    tree: Tree = {}
    for path in sorted(filter(None, paths), key=_place):
        here = tree
        for element in path:
            here = here.setdefault(element, {})
        here["."] = {}
    return _tidy(tree)


def _tidy(tree: Tree) -> Tree:
    """Return *tree* without the mark where nothing is below."""
    return {element: {} if below.keys() == {"."} else _tidy(below) for element, below in tree.items()}


def _place(path: Path) -> tuple[tuple[int, str], ...]:
    """Fields come before keys, keys before values, values before indexes; each in its own order."""
    return tuple((_ELEMENTS.index(element[:2]), element) for element in path)


def field(name: str) -> str:
    """Return the element of a field."""
    return f"f:{name}"


def key(fields: Mapping[str, Any]) -> str:
    """Return the element of a list's entry that is known by *fields*."""
    return f"k:{_json(dict(sorted(fields.items())))}"


def value(of: Any) -> str:
    """Return the element of a set's entry."""
    return f"v:{_json(of)}"


def index(place: int) -> str:
    """Return the element of an entry by its place."""
    return f"i:{place}"


def _json(of: Any) -> str:
    return json.dumps(of, separators=(",", ":"), ensure_ascii=False).translate(_ESCAPED)


@lru_cache(maxsize=4096)
def _canonical(element: str) -> str:
    """Return *element* spelled as this module spells it, whoever wrote it."""
    if element[0] in "fi":
        return element
    try:
        read = json.loads(element[2:])
    except ValueError:
        return element
    return value(read) if element[0] == "v" else key(read) if isinstance(read, dict) else element


@lru_cache(maxsize=4096)
def keys_of(element: str) -> Mapping[str, Any]:
    """Return the keys in an element ``k:``; nothing for any other, or where it cannot be read."""
    if not element.startswith("k:"):
        return {}
    try:
        read = json.loads(element[2:])
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}


# --- in words ----------------------------------------------------------------------------------------------------------


def text(path: Path) -> str:
    """Return *path* as the API server says it: ``.spec.containers[name="aws-node"].env[name="X"].value``."""
    return "".join(map(_said, path))


def _said(element: str) -> str:
    rest = element[2:]
    if element.startswith("f:"):
        return f".{rest}"
    if element.startswith("k:"):
        return f"[{','.join(f'{name}={_quoted(of)}' for name, of in keys_of(element).items())}]"
    if element.startswith("v:"):
        try:
            return f"[={_quoted(json.loads(rest))}]"
        except ValueError:
            return f"[={rest}]"
    return f"[{rest}]"


def _quoted(of: Any) -> str:
    return json.dumps(of, ensure_ascii=False)


def read(said: str) -> Path:
    """Return the path that `text` says so. Raise `ValueError`, saying where, for what is none.

    A key with dots is only known as one after the fields of `PLAIN_MAPS`; with an object at hand `holds.value_at` needs no help.
    """
    elements: list[str] = []
    at = 0
    while at < len(said):
        if said[at] == "[":
            inside, at = entry_in(said, at)
            elements.append(inside)
        elif said[at] == ".":
            end = _end_of_name(said, at + 1, plain=bool(elements) and elements[-1][2:] in PLAIN_MAPS)
            elements.append(field(said[at + 1 : end]))
            at = end
        else:
            raise ValueError(f"{said!r} is no path to a field: expected . or [ at character {at + 1}")
    return tuple(elements)


def _end_of_name(said: str, start: int, *, plain: bool) -> int:
    if plain:
        return len(said)
    ends = [place for place in (said.find(".", start), said.find("[", start)) if place >= 0]
    return min(ends, default=len(said))


def entry_in(said: str, start: int = 0) -> tuple[str, int]:
    """Return the element in the brackets that open at *start*, and where the text goes on. Raise `ValueError` for none."""
    at = start + 1
    found: dict[str, Any] = {}
    try:
        while True:
            equals = said.find("=", at)
            close = said.index("]", at)
            if equals < 0 or (equals > close and not found):
                return index(int(said[at:close])), close + 1
            of, end = _DECODER.raw_decode(said, equals + 1)
            if equals == start + 1:
                return value(of), _closed(said, end)
            found[said[at:equals]] = of
            if said[end] != ",":
                return key(found), _closed(said, end)
            at = end + 1
    except (ValueError, IndexError):
        raise ValueError(f"{said!r} is no path to a field: what begins at character {start + 1} is no entry of a list") from None


_DECODER = json.JSONDecoder()


def _closed(said: str, at: int) -> int:
    if said[at] != "]":
        raise ValueError
    return at + 1
