"""Plain YAML scalars as `kubectl` takes them: YAML 1.1 as go-yaml v2 reads it, through sigs.k8s.io/yaml.

``yes``, ``on`` and ``y`` are booleans, ``0777`` and ``0o777`` octal, ``1_000`` a number, ``12:30:45`` and dates texts, and a
number that does not fit 64 bits is a float (go.yaml.in/yaml/v2, resolve.go). PyYAML's own resolver differs in most of these.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Mapping
from typing import Any

HINTS = frozenset("+-0123456789.yYnNtTfFoO~")
"""How a plain scalar begins that may be something other than a text."""

_WORDS: Mapping[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
}
_NO_NUMBER = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_INTEGER = re.compile(
    r"(?P<sign>[-+]?)(?:0[xX](?P<x>[0-9a-fA-F]+)|0[bB](?P<b>[-+]?[01]+)|0[oO]?(?P<o>[0-7]+)|(?P<d>0|[1-9][0-9]*))"
)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_BETWEEN_DIGITS = re.compile(r"(?<=[0-9])_(?=[0-9])")
_BASES = {"x": 16, "b": 2, "o": 8, "d": 10}

_TAG = "tag:yaml.org,2002:"


class Unreadable(ValueError):
    """A scalar is not what its tag says."""


def resolve(text: str) -> Any:
    """Return what the plain scalar *text* stands for: None, a boolean, a number, or *text* itself.

    Raises `Unreadable` for infinities and what is no number, which JSON, and so Kubernetes, cannot hold.
    """
    if text in _WORDS:
        return _WORDS[text]
    if not text or text[0] not in "+-.0123456789":
        return text
    if _NO_NUMBER.fullmatch(text):
        raise Unreadable(f"{text} is a number that JSON cannot hold; put it in quotes if a text is meant")
    # After a leading dot Go's own parser decides, which wants digits on both sides of an underscore.
    plain = text.replace("_", "") if text[0] != "." else _BETWEEN_DIGITS.sub("", text)
    if text[0] != ".":
        whole = _INTEGER.fullmatch(plain)
        if whole and whole.lastgroup:
            number = int(whole[whole.lastgroup], _BASES[whole.lastgroup]) * (-1 if whole["sign"] == "-" else 1)
            if -(1 << 63) <= number < (1 << 63) or (number < (1 << 64) and not whole["sign"]):
                return number
    if _FLOAT.fullmatch(plain):
        value = float(plain)
        # Go refuses what does not fit a float64, so it stays a text; and JSON writes 1e3 as 1000.
        if not math.isinf(value):
            return int(value) if value.is_integer() and abs(value) < 1 << 63 else value
    return text


def tagged(text: str, tag: str) -> Any:
    """Return what *text* stands for under an explicit *tag*; raise `Unreadable` where it cannot be that."""
    kind = tag.removeprefix(_TAG) if tag.startswith(_TAG) else ""
    if kind == "binary":
        try:
            return base64.b64decode("".join(text.split()), validate=True).decode(errors="replace")
        except (binascii.Error, ValueError):
            raise Unreadable(f"{text[:40]!r} is no base64, as its tag !!binary says") from None
    expected: Mapping[str, tuple[type, ...]] = {
        "int": (int,),
        "float": (int, float),
        "bool": (bool,),
        "null": (type(None),),
    }
    if kind not in expected:
        return text
    value = resolve(text)
    if not isinstance(value, expected[kind]) or (isinstance(value, bool) and kind != "bool"):
        raise Unreadable(f"{text[:40]!r} is not what its tag !!{kind} says")
    return value


def key_of(value: Any) -> str:
    """Return the JSON key that a scalar used as a key becomes; raise `Unreadable` where it cannot be one."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return f"{value:.8g}"
        case None:
            raise Unreadable("a key is missing here, or is null; expected a name before the colon")
        case _:
            raise Unreadable("a mapping or a list is used as a key; expected a name")
