"""Values in HCL, the language of Terraform, whatever is in them.

A quoted text of HCL knows the escapes of JSON (but those for a slash, a backspace and a form feed) and, besides, ``${`` and
``%{``, which begin a template unless their first character is doubled (hashicorp/hcl, hclsyntax/spec.md, "Template Expressions").
Whatever the escapes, Terraform holds texts in Unicode's normal form C (zclconf/go-cty, "Strings"): `is_held` tells who suffers.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_WORDS = frozenset({"for", "if", "in", "null", "true", "false"})
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_TEMPLATE = re.compile(r"([$%]+)\{")


def quoted(text: str) -> str:
    """Return *text* as a quoted text that stands for itself."""
    # The same text to Terraform, but no workflow command to a CI runner.
    inert = "".join(map(_escaped, text)).replace("##[", "#\\u0023[")
    return f'"{_TEMPLATE.sub(_literal, inert)}"'


def is_held(found: Any) -> bool:
    """Say whether Terraform keeps every text in *found*, made of what JSON has, as it is."""
    match found:
        case str():
            return unicodedata.is_normalized("NFC", found)
        case Mapping():
            return all(map(is_held, found)) and all(map(is_held, found.values()))
        case list() | tuple():
            return all(map(is_held, found))
        case _:
            return True


def value(found: Any, indent: int = 0) -> str:
    """Return *found*, made of what JSON has, as an expression; what follows a line break is indented by *indent* blanks."""
    match found:
        case None:
            return "null"
        case bool():
            return "true" if found else "false"
        case int() | float():
            return repr(found)
        case Mapping():
            return _object(found, indent)
        case list() | tuple():
            return _list(list(found), indent)
        case _:
            return quoted(str(found))


def attributes(pairs: Mapping[str, str], indent: int = 0) -> str:
    """Return ``name = expression`` lines, their equals signs under each other as ``terraform fmt`` puts them."""
    lead = " " * indent
    lines: list[str] = []
    group: list[tuple[str, str]] = []

    def flush() -> None:
        broad = max((len(name) for name, _ in group), default=0)
        lines.extend(f"{lead}{name.ljust(broad)} = {text}\n" for name, text in group)
        group.clear()

    for name, text in pairs.items():
        group.append((name, text))
        if "\n" in text:
            # An expression of several lines ends the block of those aligned with each other.
            last = group.pop()
            flush()
            lines.append(f"{lead}{last[0]} = {last[1]}\n")
    flush()
    return "".join(lines)


def _object(found: Mapping[str, Any], indent: int) -> str:
    if not found:
        return "{}"
    inner = {_key(str(key)): value(item, indent + 2) for key, item in found.items()}
    return "{\n" + attributes(inner, indent + 2) + " " * indent + "}"


def _list(found: list[Any], indent: int) -> str:
    if not found:
        return "[]"
    lead = " " * (indent + 2)
    return "[\n" + "".join(f"{lead}{value(item, indent + 2)},\n" for item in found) + " " * indent + "]"


def _key(name: str) -> str:
    return name if _NAME.fullmatch(name) and name not in _WORDS else quoted(name)


def _escaped(c: str) -> str:
    if c in _ESCAPES:
        return _ESCAPES[c]
    if c.isprintable() and c.isascii():
        return c
    number = ord(c)
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"  # noqa: PLR2004 - the width of an escape


def _literal(found: re.Match[str]) -> str:
    """Write what begins a template so that it does not: doubled where it is alone, by its number where it is doubled itself."""
    signs = found[1]
    if len(signs) == 1:
        return f"{signs}{signs}{{"
    return "".join(f"\\u{ord(sign):04x}" for sign in signs) + "{"
