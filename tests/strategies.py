"""Any snapshot the types allow, for laws that hold of all of them."""

from __future__ import annotations

import types
import typing
from datetime import UTC, date, datetime
from enum import Enum
from functools import lru_cache
from typing import Any, Literal, get_args, get_origin

import msgspec
from hypothesis import strategies as st

from eksnetpol.model import kubernetes as k8s
from eksnetpol.model.snapshot import SECTIONS, ClusterSnapshot

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
labels = st.dictionaries(texts, texts, max_size=3)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
instants = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def raws(field: str) -> st.SearchStrategy[msgspec.Raw]:
    """JSON text of what a pod keeps undecoded under *field*."""
    kept: st.SearchStrategy[Any] = labels if field == "labels" else st.lists(values(k8s.Container), max_size=2)
    return kept.map(lambda value: msgspec.Raw(msgspec.json.encode(value)))


@lru_cache(maxsize=512)
def values(kind: Any, field: str = "") -> st.SearchStrategy[Any]:  # noqa: PLR0911 - one line per kind of type
    """Any value of the type *kind*, which stands in the field called *field*."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in {types.UnionType, typing.Union}:
        return st.one_of(*(values(a, field) for a in arguments))
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is tuple:
        return st.lists(values(arguments[0], field), max_size=2).map(tuple)
    if origin is dict:
        return st.dictionaries(values(arguments[0]), values(arguments[1]), max_size=2)
    if isinstance(origin, type) and issubclass(origin, msgspec.Struct):
        return structs(kind)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return structs(kind)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return st.sampled_from(list(kind))
    simple: dict[Any, st.SearchStrategy[Any]] = {
        str: texts,
        int: st.integers(-(2**53), 2**53),
        float: st.floats(allow_nan=False, allow_infinity=False),
        bool: st.booleans(),
        type(None): st.none(),
        datetime: instants,
        date: st.dates(),
        Any: json_values,
    }
    return raws(field) if kind is msgspec.Raw else simple[kind]


def structs(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of the struct *kind*, each optional field there or not."""
    required: dict[str, Any] = {}
    optional: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        strategy = st.deferred(lambda field=field: values(field.type, field.name))  # type: ignore[misc]
        (required if field.required else optional)[field.name] = strategy
    build = get_origin(kind) or kind
    return st.fixed_dictionaries(required, optional=optional).map(lambda given: build(**given))


@st.composite
def snapshots(draw: st.DrawFn) -> ClusterSnapshot:
    """Any snapshot, a few of its sections filled with anything."""
    fields = {field.name: field.type for field in msgspec.structs.fields(ClusterSnapshot)}
    chosen = draw(st.sets(st.sampled_from(SECTIONS), max_size=4))
    header = {"taken_at", "source", "target", "origins"}
    return ClusterSnapshot(**{name: draw(values(fields[name], name)) for name in sorted(chosen | header)})
