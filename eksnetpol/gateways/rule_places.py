"""The line on which a rule of a policy stands, in the file that the policy was read from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from eksnetpol.model.findings import Subject
from eksnetpol.model.snapshot import Origin

_STEP = re.compile(r"([A-Za-z]+)|\[(\d+)\]")
_START = re.compile(rb"^---(?:\s|$)", re.MULTILINE)
_LOCATABLE = 4 << 20
"""Bytes of one document. A larger one is pointed at as a whole."""


class RulePlaces:
    """Finds ``file:line`` for rules. Files are read again when they are asked for, and each document is taken apart once.

    What cannot be found any more (the file has changed, or was never on this disk) is told as the place of the whole policy.
    """

    def __init__(self, origins: Mapping[str, Origin]) -> None:
        self._origins = origins
        self._texts: dict[str, bytes | None] = {}
        self._roots: dict[tuple[str, int], tuple[Any, int] | None] = {}

    def of(self, subject: Subject | None, place: str = "") -> str:
        """Return where the rule at *place* of a policy stands, e.g. ``k8s/api.yaml:17``; empty where it came from no file.

        *place* is as `Decider.place` has it: ``ingress[0].from[1]``, below ``spec`` or from there.
        """
        origin = None if subject is None else self._origins.get(str(subject))
        if subject is None or origin is None:
            return ""
        line = self._line(origin, subject, place) if place else None
        return f"{origin.file}:{line or origin.line}"

    def _line(self, origin: Origin, subject: Subject, place: str) -> int | None:
        found = self._root(origin)
        if found is None:
            return None
        root, before = found
        if _text_at(root, "metadata", "name") != subject.name:
            return None
        node, line = _at(root, "spec"), None
        for key, number in _STEP.findall(place.removeprefix("spec.")):
            node = _at(node, key) if key else _item(node, int(number))
            if node is None:
                break
            line = node.start_mark.line + 1
        return None if line is None else before + line

    def _root(self, origin: Origin) -> tuple[Any, int] | None:
        """Return the node of the object that starts at *origin*, and how many lines of its file are before its document."""
        key = (origin.file, origin.line)
        if key not in self._roots:
            self._roots[key] = self._composed(origin)
        return self._roots[key]

    def _composed(self, origin: Origin) -> tuple[Any, int] | None:
        text = self._read(origin.file)
        if text is None:
            return None
        start = _offset(text, origin.line)
        first = max((m.start() for m in _START.finditer(text, 0, start + 1)), default=0)
        following = _START.search(text, max(start, first + 3))
        document = text[first : following.start() if following else len(text)]
        if len(document) > _LOCATABLE:
            return None
        before = text.count(b"\n", 0, first)
        try:
            root = yaml.compose(document, Loader=yaml.CSafeLoader)
        except yaml.YAMLError:
            return None
        items = _at(root, "items")
        if isinstance(items, yaml.SequenceNode):
            return next(((n, before) for n in items.value if before + n.start_mark.line + 1 == origin.line), None)
        return root, before

    def _read(self, file: str) -> bytes | None:
        if file not in self._texts:
            try:
                self._texts[file] = Path(file).read_bytes()
            except OSError:
                self._texts[file] = None
        return self._texts[file]


def _offset(text: bytes, line: int) -> int:
    at = 0
    for _ in range(line - 1):
        at = text.find(b"\n", at) + 1
        if not at:
            return len(text)
    return at


def _at(node: Any, key: str) -> Any:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for own, value in node.value if own.value == key), None)


def _item(node: Any, number: int) -> Any:
    return node.value[number] if isinstance(node, yaml.SequenceNode) and number < len(node.value) else None


def _text_at(node: Any, *keys: str) -> str:
    for key in keys:
        node = _at(node, key)
    return node.value if isinstance(node, yaml.ScalarNode) else ""
