"""Shapes that objects of an API must have, and what is wrong with a value that has another.

A shape is what the API server looks at before it looks at meaning: which members there are, their types, and what a schema of a
CustomResourceDefinition can say about lengths and numbers. A value is decoded JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Any, NamedTuple

import msgspec

Steps = tuple[str | int, ...]
"""The way from an object to a part of it: names of members and numbers of elements."""

_INT32 = range(-(1 << 31), 1 << 31)
_Int32 = Annotated[int, msgspec.Meta(ge=_INT32.start, lt=_INT32.stop)]


class Ground(Enum):
    """In which of its stages the API server refuses something."""

    UNKNOWN = "unknown"
    """A member nobody knows. Servers refuse it under strict validation, which is what `kubectl` asks for."""
    TYPE = "type"
    """A text where a number belongs, and the like."""
    RULE = "rule"
    """It can be read, and may not be so."""


class Flaw(NamedTuple):
    """One thing wrong with an object, where in it, and on what ground."""

    steps: Steps
    message: str
    ground: Ground = Ground.RULE

    @property
    def field(self) -> str:
        """The place as the API server writes it: ``spec.ingress[0].from[1].ipBlock.cidr``."""
        return "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in self.steps).removeprefix(".")


@dataclass(frozen=True, slots=True)
class Text:
    """A text: one of *choices* where there are any, matching *pattern*, of at most *longest* bytes (0 is any length)."""

    choices: tuple[str, ...] = ()
    pattern: str = ""
    longest: int = 0


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number of 32 bits, between *low* and *high* where they are given."""

    low: int | None = None
    high: int | None = None


@dataclass(frozen=True, slots=True)
class WholeOrText:
    """A number of 32 bits or a text, as ports are."""


@dataclass(frozen=True, slots=True)
class Open:
    """Anything at all."""


@dataclass(frozen=True, slots=True)
class Texts:
    """A mapping of any names to texts."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A list of *of*; *most* 0 is any number. With *unique* no element may be there twice."""

    of: Shape
    fewest: int = 0
    most: int = 0
    unique: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """An object with these members and no others; *most* 0 is any number of them."""

    members: Mapping[str, Shape] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    fewest: int = 0
    most: int = 0


Shape = Text | Whole | WholeOrText | Open | Texts | Listing | Record


def type_of(shape: Shape) -> Any:  # noqa: PLR0911 - one line per kind of shape
    """Return a type that `msgspec` converts a value to exactly where the value has this *shape*.

    That is many times quicker than `misshapen`, and does not say what is wrong in a person's words. It is for the kinds that are
    compiled into the server: limits of lengths and numbers, which only custom kinds have, are not looked at.
    """
    match shape:
        case Record():
            members = [
                (f"member{at}", type_of(member) | None, msgspec.field(default=None, name=name))
                for at, (name, member) in enumerate(shape.members.items())
            ]
            return msgspec.defstruct("Shape", members, forbid_unknown_fields=True, gc=False)
        case Listing():
            return list[type_of(shape.of) | None]  # type: ignore[misc]
        case Texts():
            return dict[str, str | None]
        case Text():
            return str
        case Whole():
            return _Int32
        case WholeOrText():
            return _Int32 | str
        case Open():
            return Any


def misshapen(value: Any, shape: Shape, steps: Steps = (), *, native: bool = True) -> Iterator[Flaw]:
    """Yield what is wrong with *value*, which stands at *steps* of an object.

    *native* says how the API server takes null: for the kinds that are compiled into it as absent, and in a list as empty; for
    custom kinds as absent, and in a list as wrong.
    """
    match shape:
        case Record():
            yield from _record(value, shape, steps, native)
        case Listing():
            yield from _listing(value, shape, steps, native)
        case Texts():
            yield from _texts(value, steps, native)
        case Text():
            yield from _text(value, shape, steps)
        case Whole():
            yield from _whole(value, shape, steps)
        case WholeOrText():
            if not isinstance(value, str) and (type(value) is not int or value not in _INT32):
                yield _type("a whole number of 32 bits or a text", value, steps)
        case Open():
            pass


def _record(value: Any, shape: Record, steps: Steps, native: bool) -> Iterator[Flaw]:
    if not isinstance(value, dict):
        yield _type("an object", value, steps)
        return
    given = {name: member for name, member in value.items() if member is not None}
    for name in value:
        if name not in shape.members:
            yield Flaw((*steps, name), _unknown(name, shape), Ground.UNKNOWN)
    for name in shape.required:
        if name not in given:
            yield Flaw((*steps, name), "this is missing")
    if len(given) < shape.fewest or (shape.most and len(given) > shape.most):
        names = ", ".join(shape.members)
        yield Flaw(steps, f"expected exactly one of {names}, found {len(given) or 'none'}")
    for name, member in given.items():
        known = shape.members.get(name)
        if known is not None:
            yield from misshapen(member, known, (*steps, name), native=native)


def _unknown(name: str, shape: Record) -> str:
    alike = [known for known in shape.members if known.lower() == name.lower() or known.rstrip("s") == name.rstrip("s")]
    return f"there is no such field here; did you mean {alike[0]}?" if alike else "there is no such field here"


def _listing(value: Any, shape: Listing, steps: Steps, native: bool) -> Iterator[Flaw]:
    if not isinstance(value, list):
        yield _type("a list", value, steps)
        return
    if len(value) < shape.fewest:
        yield Flaw(steps, f"expected at least {shape.fewest} element{'s'[: shape.fewest - 1]}, found {len(value)}")
    if shape.most and len(value) > shape.most:
        yield Flaw(steps, f"expected at most {shape.most} elements, found {len(value)}")
    for number, element in enumerate(value):
        if element is None and native:
            continue
        if shape.unique and element in value[:number]:
            yield Flaw((*steps, number), f"{element!r} is there twice")
        yield from misshapen(element, shape.of, (*steps, number), native=native)


def _texts(value: Any, steps: Steps, native: bool) -> Iterator[Flaw]:
    if not isinstance(value, dict):
        yield _type("an object of texts", value, steps)
        return
    for name, member in value.items():
        if not isinstance(member, str) and member is not None:
            # The server's decoder names the mapping, a schema the member in it.
            flaw = _type("a text", member, steps if native else (*steps, name))
            yield flaw._replace(message=f"{name}: {flaw.message}") if native else flaw


def _text(value: Any, shape: Text, steps: Steps) -> Iterator[Flaw]:
    if not isinstance(value, str):
        yield _type("a text", value, steps)
    elif shape.choices and value not in shape.choices:
        yield Flaw(steps, f"{value!r} is none of {', '.join(shape.choices)}")
    elif shape.longest and len(value.encode(errors="replace")) > shape.longest:
        yield Flaw(steps, f"this is longer than {shape.longest} bytes")
    elif shape.pattern and not re.search(shape.pattern, value):
        yield Flaw(steps, f"{value!r} does not match {shape.pattern}")


def _whole(value: Any, shape: Whole, steps: Steps) -> Iterator[Flaw]:
    if type(value) is not int or value not in _INT32:
        yield _type("a whole number of 32 bits", value, steps)
    elif (shape.low is not None and value < shape.low) or (shape.high is not None and value > shape.high):
        yield Flaw(steps, f"{value} is not between {shape.low} and {shape.high}")


def _type(expected: str, value: Any, steps: Steps) -> Flaw:
    match value:
        case None:
            found = "null"
        case bool():
            found = f"the truth value {'true' if value else 'false'}"
        case int() | float():
            found = f"the number {value}"
        case str():
            found = f"the text {value[:40]!r}"
        case list():
            found = "a list"
        case _:
            found = "an object"
    quotes = "; put it in quotes" if expected == "a text" and isinstance(value, bool | int | float) else ""
    return Flaw(steps, f"expected {expected}, found {found}{quotes}", Ground.TYPE)
