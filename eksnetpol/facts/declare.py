"""How facts are declared, and how whoever asks gets them.

The parameters of a function are its declaration: each names a section of the snapshot or a fact. `Lookup` fills them in.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, TypeVar

from eksnetpol.model.snapshot import (
    SECTIONS,
    ClusterSnapshot,
    Origin,
    Seen,
    SourceKind,
    Target,
    Unread,
    UnreadSection,
    unread_sections,
)

F = TypeVar("F", bound=Callable[..., Any])

_FACTS: dict[str, Fact] = {}

# What every look has, whatever it could read.
_ALWAYS: Mapping[str, Any] = {
    "now": datetime,
    "source": SourceKind,
    "target": Target,
    "origins": dict[str, Origin],
    "unread": tuple[UnreadSection, ...],
}


@dataclass(frozen=True, slots=True)
class Input:
    """A parameter: the section or fact it names, and whether the function copes with it being unread."""

    name: str
    tolerant: bool


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact: its name and how it is worked out."""

    name: str
    work_out: Callable[..., Any]

    @property
    def inputs(self) -> tuple[Input, ...]:
        """What it reads. Asked late, so that modules of facts may be imported in any order."""
        return inputs_of(self.work_out)


@cache
def inputs_of(function: Callable[..., Any]) -> tuple[Input, ...]:
    """Return what *function* asks for; raise `TypeError` when a parameter names nothing that there is."""
    hints = typing.get_type_hints(function)
    inputs = []
    for name in inspect.signature(function).parameters:
        if name not in SECTIONS and name not in _FACTS and name not in _ALWAYS:
            message = f"{function.__module__}.{function.__name__}: {name!r} is neither a section nor a fact"
            raise TypeError(message)
        inputs.append(Input(name, tolerant=Unread in typing.get_args(hints[name])))
    return tuple(inputs)


def fact(function: F) -> F:
    """Declare *function* a fact, under its own name."""
    name = function.__name__
    if name in SECTIONS or name in _FACTS:
        message = f"{function.__module__}: there is a section or fact {name!r} already"
        raise TypeError(message)
    _FACTS[name] = Fact(name, function)
    return function


@lru_cache(maxsize=1)
def catalog() -> Mapping[str, Fact]:
    """Return all facts by name, having imported every module of this package. Raises `TypeError` as `inputs_of` does."""
    package = importlib.import_module("eksnetpol.facts")
    for module in pkgutil.iter_modules(package.__path__, "eksnetpol.facts."):
        importlib.import_module(module.name)
    for known in _FACTS.values():
        inputs_of(known.work_out)
    return _FACTS


@dataclass(slots=True)
class Lookup:
    """Answers for one snapshot; each fact is worked out at most once."""

    snapshot: ClusterSnapshot
    _known: dict[str, Seen[Any] | Unread] = field(default_factory=dict)

    def get(self, name: str) -> Seen[Any] | Unread:
        """Return the section or fact *name*, `Unread` where it, or something it needs, is unread.

        A fact worked out from incomplete sections is incomplete itself.
        """
        if name in SECTIONS:
            section: Seen[Any] | Unread = getattr(self.snapshot, name)
            return section
        if name in _ALWAYS:
            return Seen(self._always(name))
        if name not in self._known:
            self._known[name] = self._work_out(_FACTS[name])
        return self._known[name]

    def arguments(self, inputs: tuple[Input, ...]) -> dict[str, Any] | Unread:
        """Return the values of *inputs* by name, or the first `Unread` among those that must be read."""
        values = {}
        for wanted in inputs:
            section = self.get(wanted.name)
            if isinstance(section, Seen):
                values[wanted.name] = section.value
            elif wanted.tolerant:
                values[wanted.name] = section
            else:
                return section
        return values

    def is_complete(self, inputs: tuple[Input, ...]) -> bool:
        """Say whether what was read of *inputs* is known to be all there is. What the asker copes without does not count."""
        sections = (self.get(wanted.name) for wanted in inputs)
        return all(section.complete for section in sections if isinstance(section, Seen))

    def _always(self, name: str) -> Any:
        if name == "now":
            return self.snapshot.taken_at
        if name == "unread":
            return unread_sections(self.snapshot)
        return getattr(self.snapshot, name)

    def _work_out(self, fact: Fact) -> Seen[Any] | Unread:
        arguments = self.arguments(fact.inputs)
        if isinstance(arguments, Unread):
            return arguments
        value = fact.work_out(**arguments)
        if isinstance(value, Unread):
            return value
        return Seen(value, complete=self.is_complete(fact.inputs))
