"""Files cut into Kubernetes objects: YAML documents, JSON, lists of one or of many kinds, each with the line it is on."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from eksnetpol.errors import UnreadableInput
from eksnetpol.gateways.yaml_reader import as_utf8, documents, line_of
from eksnetpol.model.nulls import without_nulls
from eksnetpol.model.problems import Problem

T = TypeVar("T")

_EXPECTED = "expected Kubernetes objects in YAML or JSON, each with apiVersion and kind"
_BYTE = re.compile(r"\(byte (\d+)\)")
_PLACE = re.compile(r" - at `(?P<path>[^`]*)`$")
_STEP = re.compile(r"\.(?P<key>[^.\[\]]+)|\[(?P<index>\d+)\]|(?P<any>\[\.\.\.\])")
_LOCATABLE = 8 << 20
_MARKER = re.compile(rb"^---(?=\s|$)", re.MULTILINE)

Tell = Callable[[Problem], None]
"""Who is told of what is left out."""


class _Meta(msgspec.Struct):
    name: str | None = None
    namespace: str | None = None


class _Head(msgspec.Struct, rename="camel"):
    api_version: str | None = None
    kind: str | None = None
    metadata: _Meta | None = None
    items: list[msgspec.Raw] | None = None


_HEAD = msgspec.json.Decoder(_Head)
_ANYTHING = msgspec.json.Decoder(msgspec.Raw)


@dataclass(frozen=True, slots=True)
class _Text:
    """One document of a file. ``yaml`` is the text it was read from where that is YAML, and ``number`` its place in that.

    That text is the file, or the part of it that follows ``before`` lines.
    """

    data: bytes
    line: int
    file: str
    item_lines: list[int] | None = None
    yaml: bytes | None = None
    number: int = 0
    before: int = 0


TOO_DEEP = "this is nested too deeply to be read"


@dataclass(frozen=True, slots=True)
class Found:
    """An object as a file has it: ``data`` is its JSON text, ``line`` where it starts (1 is the first line of ``file``)."""

    api_version: str
    kind: str
    name: str
    namespace: str
    data: bytes
    file: str
    line: int
    text: _Text
    steps: tuple[str | int, ...] = ()

    @property
    def group(self) -> str:
        """Its API group; empty for the core group."""
        return self.api_version.rpartition("/")[0]

    @property
    def version(self) -> str:
        """The version in its group."""
        return self.api_version.rpartition("/")[2]

    @property
    def title(self) -> str:
        """What to call it in an error."""
        return " ".join(part for part in (self.kind, "/".join(p for p in (self.namespace, self.name) if p)) if part)

    def place(self, steps: Sequence[str | int]) -> str:
        """Return ``file:line`` of what is found at *steps* in this object, or of the object where that cannot be told."""
        line = None
        if self.text.yaml is None:
            if len(self.data) <= _LOCATABLE:
                within = line_of(self.data, 0, list(steps))
                line = within and self.line + within - 1
        elif len(self.text.yaml) <= _LOCATABLE:
            within = line_of(self.text.yaml, self.text.number, [*self.steps, *steps])
            line = within and self.text.before + within
        return f"{self.file}:{line or self.line}"

    def decode(self, decoder: msgspec.json.Decoder[T]) -> T:
        """Return it as what *decoder* makes of it; raise `UnreadableInput` with the place of what is of the wrong type.

        Null counts as absent, and in a list as an empty object, as for the API server.
        """
        try:
            return decoder.decode(self.data)
        except msgspec.ValidationError:
            pass
        try:
            return decoder.decode(msgspec.json.encode(without_nulls(msgspec.json.decode(self.data))))
        except msgspec.ValidationError as error:
            raise self.wrong(str(error)) from None
        except RecursionError:
            raise self.wrong(TOO_DEEP) from None

    def wrong(self, message: str) -> UnreadableInput:
        """Return the error that msgspec's *message* amounts to for a person."""
        found = _PLACE.search(message)
        path = found["path"] if found else ""
        steps: list[str | int] = []
        for step in _STEP.finditer(path):
            if step["any"]:
                break
            steps.append(step["key"] if step["key"] is not None else int(step["index"]))
        what = _PLACE.sub("", message)
        quoted = re.search(r"[Ee]xpected `str[^`]*`, got `(?:int|float|bool)`", what)
        where = path.removeprefix("$").removeprefix(".")
        words = ": ".join(part for part in (self.title, where, f"{what[:1].lower()}{what[1:]}") if part)
        return UnreadableInput(self.place(steps), words + ("; put it in quotes" if quoted else ""))


def problem_of(error: UnreadableInput) -> Problem:
    """Return *error* as something that was left out."""
    return Problem(error.place, str(error).removeprefix(f"{error.place}: "))


def objects(data: bytes, file: str, *, any_file: bool = False, tell: Tell | None = None) -> list[Found] | None:
    """Return the objects in *data*; *file* is what to call it.

    With *any_file*, as for what lies in a directory, None where it holds no Kubernetes object at all. Raises `UnreadableInput`
    with the line for what is neither YAML nor JSON, for duplicate keys and for an object without apiVersion or kind. With *tell*
    nothing of the kind is raised: that document, or that element of a list, is left out, and *tell* is told.
    """
    try:
        data = as_utf8(data, file)
        if any_file and b"apiVersion" not in data and b"kind" not in data:
            return None
        texts = list(_texts(data, file))
    except UnreadableInput as error:
        if tell is None:
            raise
        return [found for text in _readable(data, file, error, tell) for found in _objects(text, tell)]
    if any_file and not any(_is_object(text) for text in texts):
        return None
    if not texts and not any_file:
        raise UnreadableInput(file, f"this is empty; {_EXPECTED}")
    return [found for text in texts for found in _objects(text, tell)]


def _readable(data: bytes, file: str, error: UnreadableInput, tell: Tell) -> Iterator[_Text]:
    """Yield those documents of a file that can be read, and tell of the others; *error* is what reading all of it met."""
    starts = [0, *(found.start() for found in _MARKER.finditer(data))]
    if len(starts) < 2 or data.lstrip()[:1] in {b"{", b"["}:  # noqa: PLR2004 - what there is to choose from
        tell(problem_of(error))
        return
    before = 0
    for start, end in zip(starts, [*starts[1:], len(data)], strict=True):
        part = data[start:end]
        try:
            texts = list(_texts(part, file))
        except UnreadableInput as unreadable:
            problem = problem_of(unreadable)
            line = problem.place.removeprefix(f"{file}:")
            tell(replace(problem, place=f"{file}:{before + int(line)}") if line.isdigit() else problem)
        else:
            for text in texts:
                lines = [before + line for line in text.item_lines or ()]
                yield dataclasses.replace(text, line=before + text.line, item_lines=lines, before=before)
        before += part.count(b"\n")


# --- documents --------------------------------------------------------------------------------------------------------


def _texts(data: bytes, file: str) -> Iterator[_Text]:
    if data.lstrip()[:1] in {b"{", b"["}:
        try:
            yield from _json(data, file)
        except msgspec.DecodeError as error:
            if file.endswith(".json"):
                raise _no_json(error, data, file) from None
            # Braces begin a document of YAML too.
            yield from _yaml(data, file)
        return
    yield from _yaml(data, file)


def _yaml(data: bytes, file: str) -> Iterator[_Text]:
    for number, document in enumerate(documents(data, file)):
        try:
            text = msgspec.json.encode(document.value)
        except (UnicodeEncodeError, OverflowError, ValueError) as error:
            raise UnreadableInput(f"{file}:{document.line}", f"JSON cannot hold a value in this document: {error}") from None
        yield _Text(text, document.line, file, document.item_lines, data, number)


def _json(data: bytes, file: str) -> Iterator[_Text]:
    try:
        _ANYTHING.decode(data)
        parts = [(data, data[: len(data) - len(data.lstrip())].count(b"\n") + 1)]
    except RecursionError:
        raise UnreadableInput(file, "this is nested too deeply to be Kubernetes objects") from None
    except msgspec.DecodeError as error:
        if "trailing characters" not in str(error):
            raise
        parts = list(_concatenated(data, error))
    for part, line in parts:
        _refuse_duplicates(part, line, file)
        yield _Text(part, line, file)


def _concatenated(data: bytes, error: msgspec.DecodeError) -> Iterator[tuple[bytes, int]]:
    """Cut documents that merely follow each other apart, as `kubectl` does."""
    text, decoder, at, line = data.decode(), json.JSONDecoder(), 0, 1
    while text[at:].strip():
        skipped = len(text[at:]) - len(text[at:].lstrip())
        line += text.count("\n", at, at + skipped)
        at += skipped
        try:
            _, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            raise error from None
        yield text[at:end].encode(), line
        line += text.count("\n", at, end)
        at = end


def _refuse_duplicates(data: bytes, line: int, file: str) -> None:
    try:
        json.loads(data, object_pairs_hook=_unique)
    except _DuplicateError as error:
        # The YAML reader knows lines; JSON is YAML but for tabs.
        for _ in documents(data, file) if line == 1 else ():
            pass
        raise UnreadableInput(f"{file}:{line}", f"the key {error.args[0]!r} is there twice") from None
    except RecursionError:
        raise UnreadableInput(file, "this is nested too deeply to be Kubernetes objects") from None


class _DuplicateError(Exception):
    """A key is there twice."""


def _unique(pairs: list[tuple[str, Any]]) -> None:
    keys = {key for key, _ in pairs}
    if len(keys) != len(pairs):
        names = [key for key, _ in pairs]
        raise _DuplicateError(next(name for name in names if names.count(name) > 1))


def _no_json(error: msgspec.DecodeError, data: bytes, file: str) -> UnreadableInput:
    at = _BYTE.search(str(error))
    if at is None or int(at[1]) >= len(data):
        last = data.rstrip().count(b"\n") + 1
        return UnreadableInput(f"{file}:{last}", "the JSON ends too early")
    offset = int(at[1])
    line, column = data.count(b"\n", 0, offset) + 1, offset - data.rfind(b"\n", 0, offset)
    what = _BYTE.sub("", str(error)).removeprefix("JSON is malformed: ").strip()
    return UnreadableInput(f"{file}:{line}", f"this is not JSON: {what} (column {column})")


# --- objects ----------------------------------------------------------------------------------------------------------


def _is_object(text: _Text) -> bool:
    try:
        head = _HEAD.decode(text.data)
    except msgspec.ValidationError:
        return b'"apiVersion"' in text.data and text.data[:1] == b"{"
    return head.api_version is not None or head.kind is not None


def _objects(text: _Text, tell: Tell | None) -> Iterator[Found]:
    yield from _unlisted(text, text.data, text.line, (), ("", ""), tell)


def _unlisted(
    text: _Text, data: bytes, line: int, steps: tuple[str | int, ...], default: tuple[str, str], tell: Tell | None
) -> Iterator[Found]:
    try:
        head, api_version, kind = _headed(text, data, line, steps, default)
    except UnreadableInput as error:
        if tell is None:
            raise
        tell(problem_of(error))
        return
    if head.items is not None and kind.endswith("List"):
        of = ("", "") if kind == "List" else (api_version, kind.removesuffix("List"))
        for number, (item, at) in enumerate(_items(text, data, line, steps, head.items)):
            yield from _unlisted(text, item, at, (*steps, "items", number), of, tell)
        return
    meta = head.metadata or _Meta()
    yield Found(api_version, kind, meta.name or "", meta.namespace or "", data, text.file, line, text, steps)


def _headed(
    text: _Text, data: bytes, line: int, steps: tuple[str | int, ...], default: tuple[str, str]
) -> tuple[_Head, str, str]:
    unknown = Found("", "", "", "", data, text.file, line, text, steps)
    if data.lstrip()[:1] != b"{":
        raise UnreadableInput(f"{text.file}:{line}", f"this is {_kind_of(data)}; {_EXPECTED}")
    try:
        head = _HEAD.decode(data)
    except msgspec.ValidationError as error:
        raise unknown.wrong(str(error)) from None
    api_version, kind = head.api_version or default[0], head.kind or default[1]
    for name, value in (("apiVersion", api_version), ("kind", kind)):
        if not value:
            raise UnreadableInput(f"{text.file}:{line}", f"{name} is missing; {_EXPECTED}")
    return head, api_version, kind


def _items(
    text: _Text, data: bytes, line: int, steps: tuple[str | int, ...], items: list[msgspec.Raw]
) -> Iterator[tuple[bytes, int]]:
    if text.yaml is not None:
        lines = text.item_lines if not steps and text.item_lines else []
        for number, raw in enumerate(items):
            yield bytes(raw), lines[number] if number < len(lines) else line
        return
    at = counted = 0
    for raw in items:
        item = bytes(raw)
        start = data.find(item, at)
        line += data.count(b"\n", counted, start)
        yield item, line
        counted, at = start, start + len(item)


def _kind_of(data: bytes) -> str:
    return {b"[": "a list", b'"': "a text", b"n": "null"}.get(data.lstrip()[:1], "a number or a truth value")
