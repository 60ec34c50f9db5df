"""YAML as nearly all manifests are written, read line by line: several times faster than event by event.

It takes mappings and lists in block style, scalars on one line, blocks of text, and flow collections of scalars, all in printable
ASCII. Whatever else it meets, be it an anchor, a tag, a scalar on two lines, an indent that does not fit or a key that is there
twice, it leaves the whole text to `eksnetpol.gateways.yaml_reader`, which reads the rest of YAML and knows what to say of errors.
So what it returns is what that one would have returned, and it never complains.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from eksnetpol.gateways.yaml_scalars import HINTS, Unreadable, resolve

_DEEP = 100
_LONG = 1000
_REMEMBERED = 1 << 15

_USUAL = bytes([*range(0x20, 0x7F), 0x0A])
_KEYED = re.compile(r"""( *)(- +)?(?:([A-Za-z_/][A-Za-z0-9_./-]*)|"([^"\\]*)"|'([^']*)'):(?: +(.*))?""")
_ITEM = re.compile(r"( *)- +(.+)")
_COMMENT = r"(?: +#.*)?"
_PLAIN = re.compile(rf"((?:[A-Za-z0-9_/.+~$(]|-(?=[^ ]))(?:[^:#]|:(?=[^ ])|(?<=[^ ])#)*?) *{_COMMENT}")
_DOUBLE = re.compile(rf'"([^"\\]*)" *{_COMMENT}')
_SINGLE = re.compile(rf"'((?:[^']|'')*)' *{_COMMENT}")
_BLOCK = re.compile(rf"([|>])(-?) *{_COMMENT}")
_WORD = r"""(?:[A-Za-z0-9_/.][A-Za-z0-9_/.%+=@-]*|"[^"\\]*"|'[^']*')"""
_KEY = r"[A-Za-z_/][A-Za-z0-9_./-]*"
_FLOW_LIST = re.compile(rf"\[ *((?:{_WORD}(?: *, *{_WORD})*)?) *\] *{_COMMENT}")
_FLOW_MAP = re.compile(rf"\{{ *((?:{_KEY}: +{_WORD}(?: *, *{_KEY}: +{_WORD})*)?) *\}} *{_COMMENT}")
_WORDS = re.compile(_WORD)
_PAIRS = re.compile(rf"({_KEY}): +({_WORD})")
_MARKER = re.compile(r"--- *")


class Plain(NamedTuple):
    """A document, as `yaml_reader.Document` has it: value, line, lines of the elements of the top-level ``items``."""

    value: Any
    line: int
    item_lines: list[int]


class _Unusual(Exception):
    """Something that is not read here."""


class _Nothing:
    """In place of a value: what follows on deeper lines is it, or null."""


class _Literal(NamedTuple):
    """In place of a value: the lines below are its text. *folded* joins them, *strip* takes the last line break away."""

    folded: bool
    strip: bool


_NOTHING = _Nothing()
_SKIP = (-1, 0, None, None, False)
_END = (-1, 1, None, None, False)
# A line is read as its indent (-1: no content), the column of its key (-1: an element without one), the key, the value, and
# whether it is as simple as most: a key with a value, no element, complete in itself.
_Line = tuple[int, int, Any, Any, bool]
_lines: dict[str, _Line] = {}


def documents(data: bytes) -> list[Plain] | None:
    """Return the documents of *data*, in UTF-8, those that hold something; None where it holds anything unusual."""
    if data.translate(None, _USUAL):
        return None
    try:
        return _Reader(data.decode().split("\n")).documents()
    except (_Unusual, Unreadable):
        return None


def forget() -> None:
    """Give back the memory of lines that were met before."""
    _lines.clear()


class _Reader:
    """One pass over the lines of a text."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._done: list[Plain] = []

    def documents(self) -> list[Plain]:
        """Return those that hold something; raise `_Unusual` or `Unreadable` where another reader has to look."""
        at, count = 0, len(self._lines)
        while at < count:
            at = self._document(at)
        return self._done

    def _document(self, at: int) -> int:  # noqa: C901, PLR0912, PLR0915 - one loop, made for speed
        """Read one document from line *at* on; return the line after its end."""
        lines, known = self._lines, _lines
        root: dict[str, Any] = {}
        stack: list[tuple[int, Any]] = []
        # No line stands at -1, so that nothing is simple before the first key.
        indent = -1
        here: Any = root
        pending: str | None = None
        start = end = 0
        items: list[Any] | None = None
        item_lines: list[int] = []
        for number in range(at, len(lines)):
            if number < end:
                # It belongs to a text that has been taken already.
                continue
            text = lines[number]
            line = known.get(text) or _remembered(text)
            depth, column, key, value, simple = line
            if simple and depth == indent and pending is None:
                if key in here or type(here) is list:
                    raise _Unusual
                here[key] = value
                continue
            if depth < 0:
                if column:
                    self._end(root, start, item_lines)
                    return number + 1
                continue
            is_element = column != depth
            if pending is not None:
                if depth > indent or (is_element and depth == indent):
                    # It is the value of the key before it.
                    stack.append((indent, here))
                    below: Any = [] if is_element else {}
                    here[pending] = below
                    if is_element and pending == "items" and here is root:
                        items = below
                    indent, here = depth, below
                pending = None
            elif not start:
                if depth or column:
                    raise _Unusual
                start, indent = number + 1, 0
            while depth < indent or (depth == indent and not is_element and type(here) is list):
                indent, here = stack.pop()
            if depth != indent or is_element != (type(here) is list) or len(stack) > _DEEP:
                raise _Unusual
            if is_element:
                if here is items:
                    item_lines.append(number + 1)
                if key is None:
                    if type(value) is _Literal:
                        value, end = self._text(number + 1, depth, value)
                    here.append(value)
                    continue
                element: dict[str, Any] = {}
                here.append(element)
                stack.append((indent, here))
                indent, here = column, element
            if key in here:
                raise _Unusual
            if value is _NOTHING:
                here[key] = None
                pending = key
                continue
            if type(value) is _Literal:
                value, end = self._text(number + 1, indent, value)
            elif type(value) is list and key == "items" and here is root:
                raise _Unusual
            here[key] = value
        self._end(root, start, item_lines)
        return len(lines)

    def _end(self, root: dict[str, Any], start: int, item_lines: list[int]) -> None:
        if start:
            self._done.append(Plain(root, start, item_lines))

    def _text(self, at: int, above: int, how: _Literal) -> tuple[str, int]:
        """Return the text of the lines from *at* on that stand deeper than *above*, and the line after it."""
        lines = self._lines
        first = lines[at] if at < len(lines) else ""
        margin = len(first) - len(first.lstrip(" "))
        if margin <= above or not first.strip(" "):
            raise _Unusual
        taken: list[str] = []
        while at < len(lines) - 1:
            line = lines[at]
            if line[:margin].strip(" "):
                break
            taken.append(line[margin:])
            at += 1
        else:
            # The last line has no end, or the text goes on to the end of the file.
            if lines[-1]:
                raise _Unusual
        while taken and not taken[-1]:
            taken.pop()
        if how.folded and any(not line or line[0] == " " for line in taken):
            raise _Unusual
        text = (" " if how.folded else "\n").join(taken)
        return (text if how.strip else f"{text}\n"), at


def _remembered(text: str) -> _Line:
    if len(_lines) >= _REMEMBERED:
        _lines.clear()
    line = _lines[text] = _line(text)
    return line


def _line(text: str) -> _Line:
    bare = text.lstrip(" ")
    if not bare or bare[0] == "#":
        return _SKIP
    if len(text) > _LONG:
        raise _Unusual
    keyed = _KEYED.fullmatch(text)
    if keyed is not None:
        spaces, dash, plain, double, single, rest = keyed.groups()
        depth = len(spaces)
        if plain is not None:
            key = plain
            if key[0] in HINTS and not isinstance(resolve(key), str):
                raise _Unusual
        else:
            key = double if double is not None else single
        value = _NOTHING if not rest or rest[0] == "#" else _value(rest)
        simple = not dash and value is not _NOTHING and type(value) is not _Literal and key != "items"
        return depth, depth + len(dash or ""), key, value, simple
    item = _ITEM.fullmatch(text)
    if item is not None:
        return len(item[1]), -1, None, _value(item[2]), False
    if _MARKER.fullmatch(text):
        return _END
    raise _Unusual


def _value(text: str) -> Any:
    value: Any
    match text[0]:
        case '"':
            found, value = _DOUBLE.fullmatch(text), None
        case "'":
            found, value = _SINGLE.fullmatch(text), None
            if found:
                return found[1].replace("''", "'")
        case "|" | ">":
            found = _BLOCK.fullmatch(text)
            value = found and _Literal(found[1] == ">", bool(found[2]))
        case "[":
            found = _FLOW_LIST.fullmatch(text)
            value = found and [_word(word) for word in _WORDS.findall(found[1])]
        case "{":
            found = _FLOW_MAP.fullmatch(text)
            value = found and _flow_map(found[1])
        case _:
            found, value = _PLAIN.fullmatch(text), None
            if found:
                word = found[1]
                return resolve(word) if word[0] in HINTS else word
    if found is None:
        raise _Unusual
    return found[1] if value is None else value


def _flow_map(text: str) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for key, word in _PAIRS.findall(text):
        if key in value or (key[0] in HINTS and not isinstance(resolve(key), str)):
            raise _Unusual
        value[key] = _word(word)
    return value


def _word(text: str) -> Any:
    if text[0] in {'"', "'"}:
        return text[1:-1]
    return resolve(text) if text[0] in HINTS else text
