"""Selectors as values: what they ask of labels, what they mean, and how Calico writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache


class Op(StrEnum):
    """What is asked of a label, as `print_selector` writes it."""

    HAS = "has"
    EQ = "=="
    NE = "!="
    IN = "in"
    NOT_IN = "not in"
    CONTAINS = "contains"
    STARTS = "starts with"
    ENDS = "ends with"


LISTS = {Op.IN, Op.NOT_IN}


@dataclass(frozen=True, slots=True)
class Ask:
    """One question about a label. ``values``: none for HAS, one for most, any number for IN and NOT_IN."""

    key: str
    op: Op
    values: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class All:
    """``all()``, and an empty text."""


@dataclass(frozen=True, slots=True)
class Global:
    """``global()``. It is true of everything; what it excludes, it excludes where it is written as a namespace selector."""


@dataclass(frozen=True, slots=True)
class Negated:
    """``!`` before something; never before another ``!``."""

    part: Selector


@dataclass(frozen=True, slots=True)
class Every:
    """Two or more parts joined by ``&&``."""

    parts: tuple[Selector, ...]


@dataclass(frozen=True, slots=True)
class Any:
    """Two or more parts joined by ``||``."""

    parts: tuple[Selector, ...]


Selector = Ask | All | Global | Negated | Every | Any


def negated(selector: Selector) -> Selector:
    """Return the opposite of a selector."""
    return selector.part if isinstance(selector, Negated) else Negated(selector)


# --- meaning ----------------------------------------------------------------------------------------------------------


def matches(selector: Selector, labels: Mapping[str, str]) -> bool:
    """Say whether something with these labels is selected."""
    match selector:
        case Ask():
            return asked(selector, labels.get(selector.key))
        case Negated():
            return not matches(selector.part, labels)
        case Every():
            return all(matches(part, labels) for part in selector.parts)
        case Any():
            return any(matches(part, labels) for part in selector.parts)
        case _:
            return True


def may_match(selector: Selector, labels: Mapping[str, str], prefix: str) -> tuple[bool, bool]:
    """Say whether something with these labels may be selected, and whether it may not be.

    It may have any labels beside them whose names begin with *prefix*. Each question is answered for itself, so that the answer
    may be wider than what is.
    """
    match selector:
        case Ask():
            if selector.key.startswith(prefix) and selector.key not in labels:
                return True, True
            answer = asked(selector, labels.get(selector.key))
            return answer, not answer
        case Negated():
            may, may_not = may_match(selector.part, labels, prefix)
            return may_not, may
        case Every():
            each = [may_match(part, labels, prefix) for part in selector.parts]
            return all(may for may, _ in each), any(may_not for _, may_not in each)
        case Any():
            each = [may_match(part, labels, prefix) for part in selector.parts]
            return any(may for may, _ in each), all(may_not for _, may_not in each)
        case _:
            return True, False


def asked(ask: Ask, value: str | None) -> bool:  # noqa: PLR0911 - one line per question
    """Say whether a label with this *value*, None for none, answers with yes. NE and NOT_IN do where it is absent."""
    match ask.op:
        case Op.HAS:
            return value is not None
        case Op.EQ | Op.IN:
            return value in ask.values
        case Op.NE | Op.NOT_IN:
            return value not in ask.values
        case _ if value is None:
            return False
        case Op.CONTAINS:
            return all(text in value for text in ask.values)
        case Op.STARTS:
            return value.startswith(tuple(ask.values))
        case Op.ENDS:
            return value.endswith(tuple(ask.values))


def keys(selector: Selector) -> frozenset[str]:
    """Return the names of the labels that a selector asks for."""
    match selector:
        case Ask():
            return frozenset({selector.key})
        case Negated():
            return keys(selector.part)
        case Every() | Any():
            return frozenset[str]().union(*map(keys, selector.parts))
        case _:
            return frozenset()


# --- writing ----------------------------------------------------------------------------------------------------------


def print_selector(selector: Selector) -> str:
    """Return the text of a selector, as Calico prints it: all parentheses, lists in order. `parse` reads it back."""
    match selector:
        case All():
            return "all()"
        case Global():
            return "global()"
        case Negated():
            return f"!{print_selector(selector.part)}"
        case Every():
            return f"({' && '.join(map(print_selector, selector.parts))})"
        case Any():
            return f"({' || '.join(map(print_selector, selector.parts))})"
        case Ask():
            return _print_ask(selector)


def _print_ask(ask: Ask) -> str:
    if ask.op is Op.HAS:
        return f"has({ask.key})"
    values = [_quoted(value) for value in sorted(ask.values)]
    return f"{ask.key} {ask.op} {{{', '.join(values)}}}" if ask.op in LISTS else f"{ask.key} {ask.op} {values[0]}"


def _quoted(value: str) -> str:
    return f"'{value}'" if '"' in value else f'"{value}"'


def with_prefix(selector: Selector, prefix: str) -> Selector:
    """Return a selector that asks for labels whose names begin with *prefix* in place of these."""
    return rewritten(selector, lambda one: Ask(prefix + one.key, one.op, one.values) if isinstance(one, Ask) else one)


def rewritten(selector: Selector, change: Callable[[Selector], Selector]) -> Selector:
    """Return a selector with each of its leaves changed."""
    match selector:
        case Negated():
            return negated(rewritten(selector.part, change))
        case Every():
            return Every(tuple(rewritten(part, change) for part in selector.parts))
        case Any():
            return Any(tuple(rewritten(part, change) for part in selector.parts))
        case _:
            return change(selector)


# --- shape --------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1 << 14)
def depth(selector: Selector) -> int:
    """Return how many levels a selector has; 0 for a leaf."""
    match selector:
        case Negated():
            return 1 + depth(selector.part)
        case Every() | Any():
            return 1 + max(map(depth, selector.parts))
        case _:
            return 0
