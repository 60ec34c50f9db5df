"""YAML as `kubectl` reads it, with the line of each document, from input that may be anything.

libyaml cuts the text into events (go-yaml v2, which kubectl uses, is a port of it, so both accept the same texts); values are
built from the events here, without PyYAML's nodes and resolver: twice as fast as its C loader, with kubectl's scalars, and with
bounds on nesting and on what aliases unfold to. Texts that are plain enough are read line by line instead
(`eksnetpol.gateways.yaml_plain`), with the same result three times as fast. rapidyaml is faster than both, but it lets
duplicate keys, unknown aliases and reserved characters pass, and its scalars are those of YAML 1.2.

Two differences to kubectl are meant: duplicate keys are refused, as the API server does with ``fieldValidation=Strict``, where
kubectl takes the last; and UTF-16 is read.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

import yaml
from yaml.cyaml import CParser  # type: ignore[attr-defined]

from eksnetpol.errors import UnreadableInput
from eksnetpol.gateways import yaml_plain
from eksnetpol.gateways.yaml_scalars import HINTS, Unreadable, key_of, resolve, tagged

MAX_DEPTH = 250
"""Levels of nesting. Kubernetes' deepest schemas stay below 100."""

MAX_UNFOLDED = 16 << 20
"""Nodes and characters that all aliases of a document together may stand for."""

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_UNSET = object()
_MERGE = object()


class _Refused(ValueError):
    """Something that YAML allows and kubectl, or good sense, does not."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


class Document(NamedTuple):
    """One document: what it holds, the line its content starts on, and those of the elements of its top-level ``items``."""

    value: Any
    line: int
    item_lines: list[int]


@dataclass(slots=True)
class _Frame:
    """A mapping or list that is being filled. ``explicit`` are its own keys, once a merge has brought others."""

    container: Any
    anchor: str | None
    start: int
    key: Any = _UNSET
    explicit: set[str] | None = None
    is_items: bool = False


@dataclass(slots=True)
class _Anchors:
    """Anchors of one document, each with its value and what it stands for unfolded."""

    known: dict[str, tuple[Any, int]] = field(default_factory=dict)
    unfolded: int = 0


def as_utf8(data: bytes, place: str) -> bytes:
    """Return *data* in UTF-8, without a byte order mark; raise `UnreadableInput` when it is no text."""
    encoding = "utf-8"
    for mark, name in _BOMS:
        if data.startswith(mark):
            data, encoding = data[len(mark) :], name
            break
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].decode(encoding, errors="replace").count("\n") + 1
        raise UnreadableInput(f"{place}:{line}", f"this is not {encoding.upper()} text; expected YAML or JSON") from None
    return data if encoding == "utf-8" else text.encode()


def documents(data: bytes, place: str) -> Iterator[Document]:
    """Yield the documents of *data*, in UTF-8; empty ones are left out.

    *place* is what to call the file. Raises `UnreadableInput` with the line for what is no YAML, for duplicate keys, and for
    what is nested or unfolds beyond `MAX_DEPTH` and `MAX_UNFOLDED`.
    """
    plain = yaml_plain.documents(data)
    if plain is not None:
        yield from map(Document._make, plain)
        return
    yield from _documents(data, place)


def _documents(data: bytes, place: str) -> Iterator[Document]:
    parser = CParser(data)
    try:
        event = parser.get_event
        event()
        while isinstance(event(), yaml.DocumentStartEvent):
            document = _document(event)
            event()
            if document.value is not None:
                yield document
    except _Refused as error:
        raise UnreadableInput(f"{place}:{error.line}", f"{error}{_hint(data, error.line)}") from None
    except yaml.MarkedYAMLError as error:
        raise _broken(error, data, place) from None
    except yaml.YAMLError as error:
        offset = min(getattr(error, "position", 0), len(data))
        what = getattr(error, "reason", "") or str(error).splitlines()[0]
        line = data.count(b"\n", 0, offset) + 1
        raise UnreadableInput(f"{place}:{line}", f"this is not YAML: {what}") from None
    finally:
        parser.dispose()


def _document(next_event: Callable[[], Any]) -> Document:  # noqa: C901, PLR0912, PLR0915 - one loop, made for speed
    stack: list[_Frame] = []
    anchors = _Anchors()
    item_lines: list[int] = []
    top: _Frame | None = None
    first = total = 0
    while True:
        event = next_event()
        kind = type(event)
        if top is None:
            first = event.start_mark.line + 1
        elif top.is_items and kind is not yaml.SequenceEndEvent:
            item_lines.append(event.start_mark.line + 1)
        try:
            if kind is yaml.ScalarEvent:
                value = event.value
                total += len(value) + 1
                if event.implicit[0]:
                    if value == "<<" and top is not None and type(top.container) is dict and top.key is _UNSET:
                        value = _MERGE
                    elif not value or value[0] in HINTS:
                        value = resolve(value)
                elif event.tag is not None and not event.implicit[1]:
                    value = tagged(value, event.tag)
                if event.anchor is not None:
                    anchors.known[event.anchor] = (value, len(event.value) + 1)
            elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                total += 1
                container: Any = {} if kind is yaml.MappingStartEvent else []
                frame = _Frame(container, event.anchor, total)
                frame.is_items = type(container) is list and len(stack) == 1 and stack[0].key == "items"
                if event.anchor is not None:
                    anchors.known.pop(event.anchor, None)
                _push(frame, stack)
                top = frame
                continue
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                done = stack.pop()
                value = done.container
                if done.anchor is not None:
                    anchors.known[done.anchor] = (value, total - done.start + 1)
                top = stack[-1] if stack else None
            else:
                value, size = _alias(event.anchor, anchors, stack)
                total += size
            if top is None:
                return Document(value, first, item_lines)
            if type(top.container) is list:
                top.container.append(value)
            elif top.key is _UNSET:
                top.key = value if value is _MERGE else _new_key(value, top)
            elif top.key is _MERGE:
                _merge(value, top)
                top.key = _UNSET
            else:
                top.container[top.key] = value
                top.key = _UNSET
        except Unreadable as error:
            raise _Refused(str(error), event.start_mark.line + 1) from None


def _push(frame: _Frame, stack: list[_Frame]) -> None:
    if len(stack) >= MAX_DEPTH:
        raise Unreadable(f"this is nested more than {MAX_DEPTH} levels deep")
    stack.append(frame)


def _new_key(value: Any, frame: _Frame) -> str:
    key = key_of(value)
    if key in (frame.container if frame.explicit is None else frame.explicit):
        raise Unreadable(f"the key {key!r} is there twice; the API server refuses that, and only one of them would count")
    if frame.explicit is not None:
        frame.explicit.add(key)
    return key


def _merge(value: Any, frame: _Frame) -> None:
    parts = value if isinstance(value, list) else [value]
    if not all(isinstance(part, dict) for part in parts):
        raise Unreadable("a merge (<<) wants a mapping or a list of mappings")
    if frame.explicit is None:
        frame.explicit = set(frame.container)
    # As go-yaml v2: what is merged replaces what stands before it; of several, the first wins.
    for part in reversed(parts):
        frame.container.update(part)


def _alias(name: str, anchors: _Anchors, stack: list[_Frame]) -> tuple[Any, int]:
    if name not in anchors.known:
        if any(frame.anchor == name for frame in stack):
            raise Unreadable(f"the anchor {name!r} contains itself")
        raise Unreadable(f"the alias {name!r} names no anchor of this document")
    value, size = anchors.known[name]
    anchors.unfolded += size
    if anchors.unfolded > MAX_UNFOLDED:
        raise Unreadable("aliases unfold to more than any manifest needs; write the values out, or split the document")
    return value, size


def _broken(error: yaml.MarkedYAMLError, data: bytes, place: str) -> UnreadableInput:
    mark = error.problem_mark or error.context_mark
    # An end that comes too early is marked on the line after the last.
    last = data.count(b"\n") + (not data.endswith(b"\n"))
    line = min(mark.line + 1, last) if mark is not None else 1
    column = f" (column {mark.column + 1})" if mark is not None and mark.line < last else ""
    context = f" {error.context}" if error.context else ""
    return UnreadableInput(f"{place}:{line}", f"this is not YAML: {error.problem}{context}{column}{_hint(data, line)}")


def _hint(data: bytes, line: int) -> str:
    near = data.split(b"\n", line)[max(0, line - 2) : line]
    if any(b"{{" in text for text in near):
        return "; it looks like a template: render it first (`helm template`, `kustomize build`)"
    indent = near[-1][: len(near[-1]) - len(near[-1].lstrip())] if near else b""
    return "; a tab cannot indent, use spaces" if b"\t" in indent else ""


def line_of(data: bytes, number: int, steps: list[str | int]) -> int | None:
    """Return the line of what is found at *steps* of document *number* (of those with content, 0 is the first).

    As far as the steps lead; None where the document itself is not found. *data* is what `documents` read without complaint.
    JSON is found its way about too, tabs excepted.
    """
    nodes = _nodes(data)
    if number >= len(nodes):
        return None
    node: Any = nodes[number]
    line: int = node.start_mark.line + 1
    for step in steps:
        if isinstance(node, yaml.MappingNode):
            found = next(((k, v) for k, v in node.value if k.value == step), None)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
        else:
            break
    return line


@lru_cache(maxsize=1)
def _nodes(data: bytes) -> list[Any]:
    # Places are mostly asked for one after the other in the same text.
    try:
        nodes: list[Any] = list(yaml.compose_all(data, Loader=yaml.CSafeLoader))
    except yaml.YAMLError:
        return []
    return [n for n in nodes if not isinstance(n, yaml.ScalarNode) or resolve(n.value) is not None]


def forget() -> None:
    """Give back the memory of what is kept from one text to the next."""
    _nodes.cache_clear()
    yaml_plain.forget()
