"""Calico's selector language the slow and obvious way: words by regular expressions, grammar by rewriting, meaning by Python."""

from __future__ import annotations

import re
from collections.abc import Mapping

_BLANK = r"[ \t]*"
_NAME = r"[a-zA-Z0-9_./-]{1,512}(?![a-zA-Z0-9_./-])"
_TEXT = r"(?:'[^']*'|\"[^\"]*\")"
_OPERATOR = rf"(?:contains|starts{_BLANK}with|ends{_BLANK}with|not{_BLANK}in|in)(?![a-zA-Z0-9_./-])"
_HAS = re.compile(rf"has\({_BLANK}({_NAME}){_BLANK}\)")
_CALL = re.compile(rf"(?:all|global)\({_BLANK}\)")
_LABEL = re.compile(_NAME)
_ASK = re.compile(
    rf"{_BLANK}(?:(?P<op>==|!=|contains|starts{_BLANK}with|ends{_BLANK}with){_BLANK}(?P<text>{_TEXT})"
    rf"|(?P<list>not{_BLANK}in|in){_BLANK}\{{(?P<values>{_BLANK}(?:{_TEXT}{_BLANK}(?:,{_BLANK}{_TEXT}{_BLANK})*,?{_BLANK})?)\}})"
)
_SIGN = re.compile(r"&&|\|\||[()!]")


def read(text: str) -> list[object] | None:
    """Return signs, and what is asked of labels, in the order of the text; None where it is no selector."""
    found: list[object] = []
    rest = text.strip(" \t")
    if not rest:
        return [True]
    while rest:
        one = _SIGN.match(rest) or _HAS.match(rest) or _CALL.match(rest)
        if one is not None:
            found.append(one[0] if _SIGN.fullmatch(one[0]) else (("has", one[1], ()) if one.re is _HAS else True))
            rest = rest[one.end() :].lstrip(" \t")
            continue
        # What begins like a call and is none is no label either.
        if re.match(r"(has|all|global)\(", rest):
            return None
        label = _LABEL.match(rest)
        ask = label and _ASK.match(rest, label.end())
        if not label or not ask:
            return None
        values = re.findall(_TEXT, ask["text"] or ask["values"] or "")
        op = (ask["op"] or ask["list"]).replace(" ", "").replace("\t", "")
        found.append((op, label[0], tuple(v[1:-1] for v in values)))
        rest = rest[ask.end() :].lstrip(" \t")
    return found if _is_one(found) else None


def _is_one(found: list[object]) -> bool:
    shape = "".join(one if isinstance(one, str) else "x" for one in found)
    before = ""
    while shape != before:
        before = shape
        shape = re.sub(r"!+x", "x", shape)
        shape = shape.replace("(x)", "x")
        shape = re.sub(r"(?<![!])x(&&x)+", "x", shape)
        shape = re.sub(r"(?<![!&])x(\|\|x)+(?!&)", "x", shape)
    return shape == "x"


def selects(found: list[object], labels: Mapping[str, str]) -> bool:
    """Say whether labels are selected: by Python's own ``not``, ``and`` and ``or``."""
    words = {"&&": " and ", "||": " or ", "!": " not ", "(": "(", ")": ")"}
    answers = (words[one] if isinstance(one, str) else str(one is True or _holds(one, labels)) for one in found)
    return bool(eval("".join(answers)))  # noqa: S307 - nothing but True, False and words


def _holds(one: object, labels: Mapping[str, str]) -> bool:
    assert isinstance(one, tuple)
    op, key, values = one
    value = labels.get(key)
    match op:
        case "has":
            return value is not None
        case "==" | "in":
            return value in values
        case "!=" | "notin":
            return value not in values
    if value is None:
        return False
    return {"contains": value.__contains__, "startswith": value.startswith, "endswith": value.endswith}[op](values[0])
