"""Files of expectations, as ``eksnetpol policy test`` takes them: YAML lists, read strictly and with lines.

Each item has ``name``, ``from``, ``to`` and ``allow``, and may have ``port`` and ``protocol``. The sides are texts, or mappings
of ``namespace`` and ``labels`` for a pod that does not exist yet.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from eksnetpol.errors import UnreadableInput, UsageError
from eksnetpol.gateways.yaml_reader import as_utf8, documents
from eksnetpol.policy.cases import Case, Labelled

_NEEDED = ("name", "from", "to", "allow")
_KNOWN = (*_NEEDED, "port", "protocol")
_PARTY = ("namespace", "labels")
_OF_DEPENDENCIES = ("name", "from", "to", "port", "protocol")
_SHAPE = "expected a list of cases, each with name, from, to and allow"

Place = Callable[..., str]
"""Tells the file and line of a part of an item."""


def read_cases(paths: Sequence[str]) -> tuple[Case, ...]:
    """Return the cases of all files in *paths*, in order; ``-`` is stdin.

    Raises `UsageError` for a file that is not there, and `UnreadableInput` with file and line for what is no case: an unknown
    or missing key, a value of the wrong kind, a name that is there twice.
    """
    cases: list[Case] = []
    seen: dict[str, str] = {}
    for path in paths:
        for case in _of_file(path):
            if case.name in seen:
                raise UnreadableInput(case.place, f"there is a case {case.name!r} already, at {seen[case.name]}")
            seen[case.name] = case.place
            cases.append(case)
    return tuple(cases)


def read_dependencies(path: str) -> tuple[Case, ...]:
    """Return what the file at *path* says must flow: a list like that of cases, in which only ``from`` and ``to`` are needed.

    Raises as `read_cases` does. Two items without a name may say the same.
    """
    return tuple(_of_file(path, _dependency))


def _dependency(item: Any, place: Place) -> Case:
    if not isinstance(item, dict):
        raise UnreadableInput(place(), "this is no dependency; expected a mapping with from and to")
    _only(item, _OF_DEPENDENCIES, "dependency", place)
    for key in ("from", "to"):
        if item.get(key) is None:
            raise UnreadableInput(place(), f"the dependency has no {key!r}; it has from and to")
    sides = (item["from"], item["to"])
    named = " to ".join(side if isinstance(side, str) else f"pods of {side.get('namespace')}" for side in sides)
    return _case({"name": named, **item, "allow": True}, place)


def _of_file(path: str, read: Callable[[Any, Place], Case] | None = None) -> Iterator[Case]:
    place = "stdin" if path == "-" else path
    data = as_utf8(_read(path), place)
    lines = _Lines(data, place)
    found = list(documents(data, place))
    if not found:
        raise UnreadableInput(place, f"there is nothing in it; {_SHAPE}")
    for number, document in enumerate(found):
        if not isinstance(document.value, list):
            raise UnreadableInput(f"{place}:{document.line}", f"this is no list; {_SHAPE}")
        for at, item in enumerate(document.value):
            yield (read or _case)(item, lambda *steps, n=number, i=at: lines.of(n, (i, *steps)))


def _read(path: str) -> bytes:
    if path == "-":
        if sys.stdin is None:
            raise UsageError("- stands for stdin, and there is none")
        return sys.stdin.buffer.read()
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise UsageError(f"{path}: there is no such file") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error


def _case(item: Any, place: Place) -> Case:
    if not isinstance(item, dict):
        raise UnreadableInput(place(), f"this is no case; {_SHAPE}")
    _only(item, _KNOWN, "case", place)
    for key in _NEEDED:
        if item.get(key) is None:
            named = f" {item['name']!r}" if isinstance(item.get("name"), str) else ""
            raise UnreadableInput(place(), f"the case{named} has no {key!r}; a case has {', '.join(_NEEDED)}")
    if not isinstance(item["name"], str) or not item["name"].strip():
        raise UnreadableInput(place("name"), f"name: expected a text, got {_kind(item['name'])}")
    if not isinstance(item["allow"], bool):
        raise UnreadableInput(place("allow"), f"allow: expected true or false, got {_kind(item['allow'])}")
    port, protocol = item.get("port"), item.get("protocol")
    if port is not None and (isinstance(port, bool) or not isinstance(port, int | str)):
        raise UnreadableInput(place("port"), f"port: expected a number, a range or a name, got {_kind(port)}")
    if protocol is not None and not isinstance(protocol, str):
        raise UnreadableInput(place("protocol"), f"protocol: expected TCP, UDP, SCTP or ICMP, got {_kind(protocol)}")
    return Case(
        name=item["name"],
        source=_party(item["from"], "from", place),
        destination=_party(item["to"], "to", place),
        allow=item["allow"],
        port=port,
        protocol=protocol,
        place=place(),
    )


def _party(value: Any, key: str, place: Place) -> str | Labelled:
    if isinstance(value, str):
        return value
    if not isinstance(value, dict):
        raise UnreadableInput(place(key), f"{key}: expected a text, or namespace and labels, got {_kind(value)}")
    _only(value, _PARTY, key, lambda *steps: place(key, *steps))
    namespace, labels = value.get("namespace"), value.get("labels", {})
    if not isinstance(namespace, str) or not namespace:
        raise UnreadableInput(place(key), f"{key}: the pod has no namespace; it has namespace and labels")
    if not isinstance(labels, dict) or not all(isinstance(v, str) for v in labels.values()):
        raise UnreadableInput(place(key, "labels"), f"{key}.labels: expected a mapping of texts; put numbers in quotes")
    return Labelled(namespace, tuple(sorted(labels.items())))


def _only(value: dict[str, Any], known: tuple[str, ...], what: str, place: Place) -> None:
    for key in value:
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known)}"
            raise UnreadableInput(place(key), f"{what}: there is no key {key!r}; {hint}")


def _kind(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case str():
            return repr(value)
        case _:
            return str(value)


class _Lines:
    """Lines of what is found in the documents of a text, which is taken apart once, when a line is first asked for."""

    def __init__(self, data: bytes, place: str) -> None:
        self._data, self._place = data, place
        self._nodes: list[Any] | None = None

    def of(self, number: int, steps: tuple[str | int, ...]) -> str:
        """Return ``file:line`` of what is at *steps* of document *number*, as far as the steps lead."""
        if self._nodes is None:
            composed = yaml.compose_all(self._data, Loader=yaml.CSafeLoader)
            self._nodes = [n for n in composed if not (isinstance(n, yaml.ScalarNode) and not n.value)]
        node = self._nodes[number]
        line = node.start_mark.line
        for step in steps:
            if isinstance(node, yaml.SequenceNode) and isinstance(step, int):
                node = node.value[step]
                line = node.start_mark.line
            elif isinstance(node, yaml.MappingNode):
                pair = next(((k, v) for k, v in node.value if k.value == step), None)
                if pair is None:
                    break
                line, node = pair[0].start_mark.line, pair[1]
        return f"{self._place}:{line + 1}"
