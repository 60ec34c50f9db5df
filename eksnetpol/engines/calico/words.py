"""The words of Calico's selector language, each with its place."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from eksnetpol.engines.calico.terms import Op

LONGEST_LABEL = 512
"""A longer label name is no label name."""

_BLANKS = " \t"
_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-")


class SelectorError(ValueError):
    """A text that Calico takes for no selector. ``place`` is where (0 is the first character), ``why`` what is wrong there."""

    def __init__(self, place: int, why: str) -> None:
        super().__init__(f"{why} (at character {place + 1})")
        self.place = place
        self.why = why


class TooDeepError(SelectorError):
    """A text that Calico may take, and that is nested too deeply to be read here."""


class Kind(StrEnum):
    """What a word is, in the words of a message."""

    LABEL = "the name of a label"
    TEXT = "a string"
    OPEN_LIST = "'{'"
    CLOSE_LIST = "'}'"
    COMMA = "','"
    OPEN = "'('"
    CLOSE = "')'"
    NOT = "'!'"
    AND = "'&&'"
    OR = "'||'"
    OPERATOR = "an operator"
    HAS = "has(...)"
    ALL = "all()"
    GLOBAL = "global()"
    END = "the end"


class Word(NamedTuple):
    """A word: its kind, where it begins, its text, and which operator it is."""

    kind: Kind
    place: int
    text: str = ""
    op: Op | None = None


_SIGNS = {
    "(": Kind.OPEN,
    ")": Kind.CLOSE,
    "{": Kind.OPEN_LIST,
    "}": Kind.CLOSE_LIST,
    ",": Kind.COMMA,
}
_DOUBLED = {"=": Word(Kind.OPERATOR, 0, "==", Op.EQ), "&": Word(Kind.AND, 0, "&&"), "|": Word(Kind.OR, 0, "||")}
_OPERATORS = (
    (("contains",), Op.CONTAINS),
    (("starts", "with"), Op.STARTS),
    (("ends", "with"), Op.ENDS),
    (("not", "in"), Op.NOT_IN),
    (("in",), Op.IN),
)
_EXPECTED = "==, !=, in, not in, contains, starts with or ends with"
_CALLS = (("all(", Kind.ALL), ("global(", Kind.GLOBAL))


class Words:
    """Cuts a text into words, one after the other."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def __iter__(self) -> Iterator[Word]:
        last = None
        while last is None or last.kind is not Kind.END:
            self._skip()
            last = self._word(after_label=last is not None and last.kind is Kind.LABEL)
            yield last

    def _skip(self) -> None:
        while self.at < len(self.text) and self.text[self.at] in _BLANKS:
            self.at += 1

    def _taken(self, word: str) -> bool:
        """Go on behind *word* where it stands here."""
        found = self.text.startswith(word, self.at)
        if found:
            self.at += len(word)
        return found

    def _word(self, *, after_label: bool) -> Word:  # noqa: PLR0911 - one line per sign
        place = self.at
        if place == len(self.text):
            return Word(Kind.END, place)
        sign = self.text[place]
        if sign in _SIGNS:
            self.at += 1
            return Word(_SIGNS[sign], place, sign)
        if sign in "'\"":
            return self._string(sign)
        if sign in _DOUBLED:
            if not self._taken(sign * 2):
                raise SelectorError(place, f"expected {sign * 2}")
            return _DOUBLED[sign]._replace(place=place)
        if sign == "!":
            if self._taken("!="):
                return Word(Kind.OPERATOR, place, "!=", Op.NE)
            self.at += 1
            return Word(Kind.NOT, place, "!")
        return self._operator() if after_label else self._named()

    def _string(self, quote: str) -> Word:
        place = self.at
        end = self.text.find(quote, place + 1)
        if end < 0:
            raise SelectorError(place, f"the string is not closed: no second {quote}")
        self.at = end + 1
        return Word(Kind.TEXT, place, self.text[place + 1 : end])

    def _operator(self) -> Word:
        place = self.at
        for words, op in _OPERATORS:
            self.at = place
            if all(self._part(word) for word in words) and (self.at == len(self.text) or self.text[self.at] not in _NAME):
                return Word(Kind.OPERATOR, place, str(op), op)
        raise SelectorError(place, f"expected an operator after the name of a label: {_EXPECTED}")

    def _part(self, word: str) -> bool:
        self._skip()
        return self._taken(word)

    def _named(self) -> Word:
        place = self.at
        if self._taken("has("):
            self._skip()
            label = self._label()
            self._skip()
            self._close(place, f"has({label}")
            return Word(Kind.HAS, place, label)
        for call, kind in _CALLS:
            if self._taken(call):
                self._skip()
                self._close(place, call)
                return Word(kind, place, call)
        return Word(Kind.LABEL, place, self._label())

    def _close(self, place: int, what: str) -> None:
        if not self._taken(")"):
            raise SelectorError(self.at, f"expected ')' to close {what!r}, which begins at character {place + 1}")

    def _label(self) -> str:
        place = self.at
        while self.at < len(self.text) and self.text[self.at] in _NAME:
            self.at += 1
        label = self.text[place : self.at]
        if not label:
            found = repr(self.text[place]) if place < len(self.text) else "the end"
            raise SelectorError(place, f"expected the name of a label, found {found}")
        if len(label) > LONGEST_LABEL:
            raise SelectorError(place, f"the name of a label is longer than {LONGEST_LABEL} characters")
        return label


def shown(word: Word) -> str:
    """Return a word as a message names it."""
    match word.kind:
        case Kind.LABEL | Kind.OPERATOR:
            return repr(word.text)
        case _:
            return str(word.kind)
