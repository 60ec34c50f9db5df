"""Calico's selector language as plainly as can be: a text becomes a question about labels. Written from its grammar."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

Labels = Mapping[str, str]
Asked = Callable[[Labels], bool]

WORDS = re.compile(
    r"""[ \t]*(?:(?P<string>"[^"]*"|'[^']*')
      | (?P<call>(?:all|global|has)\([ \t]*(?P<of>[A-Za-z0-9_./-]*)[ \t]*\))
      | (?P<sign>&&|\|\||==|!=|!|\(|\)|\{|\}|,)
      | (?P<name>[A-Za-z0-9_./-]+))""",
    re.VERBOSE,
)


class BadSelector(ValueError):
    """The text is no selector."""


def question(text: str) -> Asked:
    """Return what *text* asks of labels."""
    tokens: list[tuple[str, str]] = []
    at, text = 0, text.strip(" \t")
    while at < len(text):
        found = WORDS.match(text, at)
        if found is None:
            raise BadSelector(text)
        tokens.append((found.lastgroup if found.lastgroup != "of" else "call", found[0].strip(" \t")))  # type: ignore[arg-type]
        at = found.end()
    if not tokens:
        return lambda _: True
    reader = _Reader(tokens)
    asked = reader.alternatives()
    if reader.tokens:
        raise BadSelector(text)
    return asked


class _Reader:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.tokens = tokens

    def next_is(self, *signs: str) -> bool:
        return bool(self.tokens) and self.tokens[0][1] in signs

    def take(self) -> tuple[str, str]:
        if not self.tokens:
            raise BadSelector("ends too early")
        return self.tokens.pop(0)

    def alternatives(self) -> Asked:
        parts = [self.together()]
        while self.next_is("||"):
            self.take()
            parts.append(self.together())
        return lambda labels: any(part(labels) for part in parts)

    def together(self) -> Asked:
        parts = [self.single()]
        while self.next_is("&&"):
            self.take()
            parts.append(self.single())
        return lambda labels: all(part(labels) for part in parts)

    def single(self) -> Asked:
        kind, word = self.take()
        if word == "!":
            inner = self.single()
            return lambda labels: not inner(labels)
        if word == "(":
            inner = self.alternatives()
            if self.take()[1] != ")":
                raise BadSelector(word)
            return inner
        if kind == "call":
            name, _, key = word.rstrip(")").partition("(")
            key = key.strip(" \t")
            return (lambda labels: key in labels) if name == "has" else (lambda _: True)
        if kind != "name":
            raise BadSelector(word)
        return self.compared(word)

    def compared(self, key: str) -> Asked:
        _, how = self.take()
        if how == "not":
            how += " " + self.take()[1]
        if how in {"starts", "ends"}:
            how += self.take()[1]
        if how in {"in", "not in", "notin"}:
            values = self.listed()
            return (lambda la: la.get(key) in values) if how == "in" else (lambda la: la.get(key) not in values)
        kind, quoted = self.take()
        if kind != "string":
            raise BadSelector(quoted)
        text = quoted[1:-1]
        known: dict[str, Asked] = {
            "==": lambda la: la.get(key) == text,
            "!=": lambda la: la.get(key) != text,
            "contains": lambda la: key in la and text in la[key],
            "startswith": lambda la: key in la and la[key].startswith(text),
            "endswith": lambda la: key in la and la[key].endswith(text),
        }
        if how not in known:
            raise BadSelector(how)
        return known[how]

    def listed(self) -> set[str]:
        if self.take()[1] != "{":
            raise BadSelector("no set")
        values = set()
        while not self.next_is("}"):
            values.add(self.take()[1][1:-1])
            if self.next_is(","):
                self.take()
        self.take()
        return values
