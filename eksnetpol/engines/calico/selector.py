"""Calico's selector language: reading it, writing it, and asking it of labels.

From the loosest to the tightest: ``||``, ``&&``, ``!``, and what can be asked of a label: ``has(k)``, ``k == 'v'``, ``k != 'v'``,
``k in {'v', 'w'}``, ``k not in {...}``, ``k contains 'v'``, ``k starts with 'v'``, ``k ends with 'v'``; ``all()``, ``global()``.
White space is blank and tab, nothing else. A text of nothing but white space is ``all()``. Strings stand in single or double
quotes and know no escapes. What would be an operator is the name of a label where a label is expected
(projectcalico/calico, libcalico-go/lib/selector).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from eksnetpol.engines.calico.labels import formula
from eksnetpol.engines.calico.terms import (
    LISTS,
    All,
    Any,
    Ask,
    Every,
    Global,
    Negated,
    Op,
    Selector,
    depth,
    matches,
    negated,
    print_selector,
)
from eksnetpol.engines.calico.words import Kind, SelectorError, TooDeepError, Word, Words, shown

__all__ = [
    "DEEPEST",
    "All",
    "Any",
    "Ask",
    "Every",
    "Global",
    "Negated",
    "Op",
    "Selector",
    "SelectorError",
    "TooDeepError",
    "formula",
    "matches",
    "parse",
    "pointed",
    "print_selector",
]

DEEPEST = 128
"""How many levels of parentheses and negations are read."""


@dataclass(slots=True)
class _Group:
    """What stands in one pair of parentheses so far: alternatives of parts that must all hold."""

    place: int
    is_negated: bool
    alternatives: list[list[Selector]]

    def made(self) -> Selector:
        """Return what the group means."""
        joined = [parts[0] if len(parts) == 1 else Every(tuple(parts)) for parts in self.alternatives]
        whole = joined[0] if len(joined) == 1 else Any(tuple(joined))
        return negated(whole) if self.is_negated else whole


@lru_cache(maxsize=1 << 14)
def parse(text: str) -> Selector:
    """Return the selector that *text* is. Raises `SelectorError`; its subclass `TooDeepError` where Calico may take the text."""
    return _Reader(iter(Words(text))).whole()


class _Reader:
    """Reads words without recursion, so that no depth of parentheses is too much for it."""

    def __init__(self, words: Iterator[Word]) -> None:
        self._words = words
        self._now = next(self._words)
        self._open = [_Group(0, is_negated=False, alternatives=[[]])]

    def whole(self) -> Selector:
        """Return what all words together mean; no words at all mean everything."""
        if self._is(Kind.END):
            return All()
        while True:
            is_negated = self._negation()
            if self._now.kind is Kind.OPEN:
                self._open.append(_Group(self._now.place, is_negated, [[]]))
                self._next()
                continue
            place = self._now.place
            one = self._one()
            self._add(negated(one) if is_negated else one, place)
            while self._now.kind is Kind.CLOSE and len(self._open) > 1:
                done = self._open.pop()
                self._next()
                self._add(done.made(), done.place)
            if self._now.kind is Kind.OR:
                self._open[-1].alternatives.append([])
            elif self._now.kind is not Kind.AND:
                break
            self._next()
        if len(self._open) > 1:
            raise SelectorError(self._now.place, f"expected ')' to close the parenthesis at character {self._open[-1].place + 1}")
        if self._now.kind is not Kind.END:
            raise SelectorError(self._now.place, f"expected &&, || or the end, found {shown(self._now)}")
        return self._open[0].made()

    def _next(self) -> Word:
        taken = self._now
        self._now = next(self._words, taken)
        return taken

    def _is(self, kind: Kind) -> bool:
        return self._now.kind is kind

    def _negation(self) -> bool:
        is_negated = False
        while self._now.kind is Kind.NOT:
            is_negated = not is_negated
            self._next()
        return is_negated

    def _add(self, part: Selector, place: int) -> None:
        if depth(part) > DEEPEST:
            raise TooDeepError(place, f"is nested more than {DEEPEST} levels deep, which is not read here")
        self._open[-1].alternatives[-1].append(part)

    def _one(self) -> Selector:
        word = self._next()
        match word.kind:
            case Kind.HAS:
                return Ask(word.text, Op.HAS)
            case Kind.ALL:
                return All()
            case Kind.GLOBAL:
                return Global()
            case Kind.LABEL:
                return self._question(word.text)
            case _:
                raise SelectorError(word.place, f"expected the name of a label, has(...), all() or '(', found {shown(word)}")

    def _question(self, key: str) -> Selector:
        operator = self._next()
        if operator.op is None:
            raise SelectorError(operator.place, f"expected an operator after {key!r}, found {shown(operator)}")
        if operator.op in LISTS:
            return Ask(key, operator.op, self._list())
        value = self._next()
        if value.kind is not Kind.TEXT:
            raise SelectorError(value.place, f"expected a string in quotes after {operator.text!r}, found {shown(value)}")
        return Ask(key, operator.op, frozenset({value.text}))

    def _list(self) -> frozenset[str]:
        if not self._is(Kind.OPEN_LIST):
            raise SelectorError(self._now.place, f"expected '{{' and a list of strings, found {shown(self._now)}")
        self._next()
        values: set[str] = set()
        while self._is(Kind.TEXT):
            values.add(self._next().text)
            if not self._is(Kind.COMMA):
                break
            self._next()
        if not self._is(Kind.CLOSE_LIST):
            raise SelectorError(self._now.place, f"expected a string or '}}' in a list, found {shown(self._now)}")
        self._next()
        return frozenset(values)


def pointed(text: str, error: SelectorError) -> str:
    """Return two lines for people: *text*, and a caret under the place of *error*. What is no blank but white is shown as one."""
    plain = "".join(c if c.isprintable() else " " for c in text)
    return f"{plain}\n{' ' * error.place}^"
