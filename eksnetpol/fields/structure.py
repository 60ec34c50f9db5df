"""How the objects of each kind divide into fields that can be owned one by one.

For the API server's own kinds that is shipped as data, derived from its OpenAPI and held to it by a test; for kinds of a
CustomResourceDefinition it is read from that. A kind nobody knows divides as the API server does without a schema: objects by
their keys, lists not at all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final, Literal, TypedDict

from eksnetpol.fields import paths
from eksnetpol.fields.schema import WHATEVER, Structure, reduced
from eksnetpol.fields.values import without_nulls
from eksnetpol.model.kinds import Json

Form = Literal["leaf", "map", "list"]


class Shape:
    """How one value divides. `LEAF` does not; shapes may contain themselves (a schema of schemas does)."""

    __slots__ = ("defaults", "fields", "form", "keys", "rest")

    def __init__(self, form: Form) -> None:
        self.form: Form = form
        self.fields: dict[str, Shape] = {}
        """Fields that are divided further themselves."""
        self.rest: Shape | None = None
        """What all other keys of a map hold, and the entries of a list."""
        self.keys: tuple[str, ...] = ()
        """What a list's entries are known by; nothing for a set."""
        self.defaults: Mapping[str, Any] = {}
        """Values of ``keys`` that need not be written."""

    def form_of(self, value: Any) -> Form:
        """Return as what *value* is treated here: a schema that allows anything is settled by the value."""
        if value is None:
            return self.form
        if isinstance(value, dict):
            return "map" if self.form == "map" else "leaf"
        if isinstance(value, list):
            return "list" if self.form == "list" else "leaf"
        return "leaf"

    def at(self, name: str) -> Shape:
        """Return the shape of a map's field."""
        return self.fields.get(name) or self.rest or LEAF

    def names(self, name: str) -> bool:
        """Say whether the schema itself names this field, and it is divided further."""
        return name in self.fields

    def below(self, element: str) -> Shape:
        """Return the shape of what an element of a path leads to."""
        return self.at(element[2:]) if element.startswith("f:") else self.rest or LEAF

    def entry(self, item: Any, place: int) -> str:
        """Return the element of a list's entry; by *place* for one that lacks all its keys, which the API server would refuse."""
        if not self.keys:
            return paths.value(item)
        found = {key: item.get(key, self.defaults.get(key)) for key in self.keys} if isinstance(item, dict) else {}
        found = {key: of for key, of in found.items() if of is not None}
        return paths.key(found) if found else paths.index(place)


LEAF: Final = Shape("leaf")


def _whatever() -> Shape:
    shape = Shape("map")
    shape.rest = shape
    return shape


ANYTHING: Final = _whatever()
"""The shape of what no schema describes."""


class _Kind(TypedDict):
    type: str
    status: bool
    empty: Json


class Layout:
    """A kind's shape; ``status`` says that its status is written apart, so that other writes neither change nor own it.

    ``built_in`` says that it is of the API server's own kinds, which keep no empty values (`as_kept`). ``empty`` is what an
    object holds that nothing was said about: parts that are always there, so that nobody adds them.
    """

    __slots__ = ("built_in", "empty", "shape", "status")

    def __init__(self, shape: Shape, *, status: bool, built_in: bool = False, empty: Json | None = None) -> None:
        self.shape = shape
        self.status = status
        self.built_in = built_in
        self.empty: Json = empty or {}


class _Table:
    """The shipped structures, made into shapes when they are asked for."""

    def __init__(self, types: Mapping[str, Structure], kinds: Mapping[str, _Kind]) -> None:
        self.kinds = kinds
        self._types = types
        self._shapes: dict[str, Shape] = {}

    def shape(self, structure: Structure) -> Shape:
        if structure is None:
            return LEAF
        if structure == WHATEVER:
            return ANYTHING
        if isinstance(structure, str):
            if structure not in self._shapes:
                shape = self._shapes[structure] = Shape("map")
                self._fill(shape, self._types[structure])
            return self._shapes[structure]
        shape = Shape("map" if "fields" in structure else "list")
        self._fill(shape, structure)
        return shape

    def _fill(self, shape: Shape, structure: Structure) -> None:
        shape.fields = {name: self.shape(below) for name, below in structure.get("fields", {}).items()}
        rest = "rest" if shape.form == "map" else "of"
        shape.rest = self.shape(structure[rest]) if rest in structure else None
        shape.keys = tuple(structure.get("list", ()))
        shape.defaults = structure.get("defaults", {})


@lru_cache(maxsize=1)
def _table() -> _Table:
    read = json.loads((files("eksnetpol") / "data" / "structure.json").read_text(encoding="utf-8"))
    return _Table(read["types"], read["kinds"])


@lru_cache(maxsize=64)
def _known(kind: str) -> Layout | None:
    table = _table()
    found = table.kinds.get(kind)
    return (
        None if found is None else Layout(table.shape(found["type"]), status=found["status"], built_in=True, empty=found["empty"])
    )


def metadata_shape() -> Shape:
    """Return the shape every object's metadata has."""
    return _table().shape("ObjectMeta")


def _custom(shape: Shape) -> Shape:
    """Return *shape* with the metadata that every object has."""
    whole = Shape("map")
    whole.fields = {**shape.fields, "metadata": metadata_shape()}
    whole.rest = shape.rest
    return whole


SAID_BY_SILENCE: Final[Mapping[str, Any]] = {
    "hostIPC": False,
    "hostNetwork": False,
    "hostPID": False,
    "preserveUnknownFields": False,
    "readOnly": False,
    "stdin": False,
    "stdinOnce": False,
    "tty": False,
    "value": "",
}
"""Fields of pods, and one of definitions, with the value that the API server does not write down.

Whoever applies it will not find it, and whoever else applies it too is in conflict with them over it.
"""


def as_kept(obj: Json, layout: Layout) -> Json:
    """Return *obj* as the API server keeps it: in its own kinds without empty lists, empty maps and what silence says as well."""
    found: Json = _kept(obj, layout.shape) if layout.built_in else obj
    return found


def without_emptied(obj: Json, layout: Layout) -> Json:
    """Return *obj* without the nulls that an apply leaves in place of what it emptied.

    Within what a definition does not describe (``preserve-unknown-fields``) the API server keeps them. Where a definition does
    describe them it refuses the apply, unless they are nullable; that is not done here, nor where no definition is known.
    """
    found: Json = without_nulls(obj) if layout.shape.rest is ANYTHING else _without_emptied(obj, layout.shape)
    return found


def _without_emptied(value: Any, shape: Shape) -> Any:
    if shape is ANYTHING:
        return value
    if isinstance(value, dict):
        described = {name: below for name, below in value.items() if below is not None or shape.at(name) is ANYTHING}
        return {name: _without_emptied(below, shape.at(name)) for name, below in described.items()}
    if isinstance(value, list) and shape.form == "list":
        return [_without_emptied(item, shape.below(shape.entry(item, place))) for place, item in enumerate(value)]
    return value


def _kept(value: Any, shape: Shape) -> Any:
    if isinstance(value, dict):
        own = shape.form == "leaf" or bool(shape.fields) or shape.rest is None
        found = {name: _kept(below, shape.at(name)) for name, below in value.items()}
        return {name: below for name, below in found.items() if not _dropped(name, below, shape.at(name), own=own)}
    if isinstance(value, list):
        return [
            _kept(item, shape.below(shape.entry(item, place)) if shape.form == "list" else LEAF)
            for place, item in enumerate(value)
        ]
    return value


def _dropped(name: str, value: Any, shape: Shape, *, own: bool) -> bool:
    """Say whether a field is not kept; *own* says that its name is the API's and not of people's choosing."""
    if value is None or value == []:
        return True
    if value == {}:
        return name in paths.PLAIN_MAPS or (shape.form == "map" and not shape.fields and shape.rest is not None)
    return own and isinstance(value, (bool, str)) and not value and name in SAID_BY_SILENCE


UNKNOWN_STATUS = frozenset({"NodeClass"})
"""Kinds that have a status apart although their definition may not be at hand (karpenter.sh's NodeClasses and EKS's have one)."""


def layout_of(obj: Json, definition: Json | None = None) -> Layout:
    """Return how *obj* divides. *definition* is the CustomResourceDefinition of its kind, where it has one and it is known."""
    api_version, kind = str(obj.get("apiVersion", "")), str(obj.get("kind", ""))
    if definition is not None:
        found = _of_definition(definition, api_version.rpartition("/")[2])
        if found is not None:
            return found
    return _known(f"{api_version}/{kind}") or Layout(_custom(ANYTHING), status=kind in UNKNOWN_STATUS)


def _of_definition(definition: Json, version: str) -> Layout | None:
    for served in definition.get("spec", {}).get("versions", ()):
        schema = served.get("schema", {}).get("openAPIV3Schema")
        if served.get("name") == version and schema:
            table = _table()
            return Layout(_custom(table.shape(reduced(schema, {}))), status="status" in served.get("subresources", {}))
    return None
