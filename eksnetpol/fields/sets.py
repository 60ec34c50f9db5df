"""Sets of fields: which ones an object has, how two objects differ, and an object without some of them.

What counts as a field, and when one was added, modified or removed, is what the API server's library says
(sigs.k8s.io/structured-merge-diff), down to its corners: an empty object is a field of its own, an added parent counts beside
what is in it, and a list with two entries of one key is compared as a whole for that key.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from eksnetpol.fields.paths import Path, Tree, as_v1
from eksnetpol.fields.structure import Form, Shape
from eksnetpol.fields.values import ABSENT, same

Fields = frozenset[Path]


def fields_of(value: Any, shape: Shape) -> Fields:
    """Return every field that *value* has: what an apply of it owns."""
    found: set[Path] = set()
    _collect(value, shape, (), found)
    found.discard(())
    return frozenset(found)


def _collect(value: Any, shape: Shape, path: Path, found: set[Path]) -> None:
    form = shape.form_of(value)
    if form == "leaf":
        found.add(path)
    elif form == "map":
        for name, below in (value or {}).items():
            here = (*path, f"f:{name}")
            _collect(below, shape.at(name), here, found)
            if below is None or below == {} or not shape.names(name):
                found.add(here)
    else:
        entries = by_entry(value or (), shape)
        for element, items in entries.items():
            here = (*path, element)
            found.add(here)
            if len(items) == 1:
                _collect(items[0], shape.below(element), here, found)


def by_entry(items: Iterable[Any], shape: Shape) -> dict[str, list[Any]]:
    """Return the entries of a list by their element, in order; more than one where keys are not unique."""
    found: dict[str, list[Any]] = {}
    for place, item in enumerate(items):
        found.setdefault(shape.entry(item, place), []).append(item)
    return found


@dataclass(frozen=True, slots=True)
class Comparison:
    """What became of fields between two objects."""

    added: Fields
    modified: Fields
    removed: Fields

    @property
    def set(self) -> Fields:
        """Fields that have a value now which they did not have before."""
        return self.added | self.modified

    def without(self, above: Iterable[Path]) -> Comparison:
        """Return it without these fields and all that is below them."""
        tops = tuple(above)

        def rest(fields: Fields) -> Fields:
            return frozenset(path for path in fields if not any(path[: len(top)] == top for top in tops))

        return Comparison(rest(self.added), rest(self.modified), rest(self.removed)) if tops else self


@dataclass(slots=True)
class _Found:
    added: set[Path] = field(default_factory=set)
    modified: set[Path] = field(default_factory=set)
    removed: set[Path] = field(default_factory=set)


def compare(before: Any, after: Any, shape: Shape) -> Comparison:
    """Return how *after* differs from *before*."""
    found = _Found()
    _compare(before, after, shape, (), found)
    return Comparison(*(frozenset(paths - {()}) for paths in (found.added, found.modified, found.removed)))


def _compare(before: Any, after: Any, shape: Shape, path: Path, found: _Found) -> None:
    if before is after:
        return
    forms: list[Form] = []
    for value in (before, after):
        form = None if value is ABSENT else shape.form_of(value)
        if form is not None and form not in forms:
            forms.append(form)
    divided = False
    for form in forms:
        divided = _compared_as(form, before, after, shape, path, found)
    if divided and before is ABSENT:
        found.added.add(path)
    elif divided and after is ABSENT:
        found.removed.add(path)


def _compared_as(form: Form, before: Any, after: Any, shape: Shape, path: Path, found: _Found) -> bool:
    """Compare under one reading; say whether it was divided."""
    if form == "map":
        old = before if isinstance(before, dict) else {}
        new = after if isinstance(after, dict) else {}
        if old or new:
            for name in old | new:
                _compare(old.get(name, ABSENT), new.get(name, ABSENT), shape.at(name), (*path, f"f:{name}"), found)
            return True
    elif form == "list":
        left = before if isinstance(before, list) else []
        right = after if isinstance(after, list) else []
        if left or right:
            _compare_lists(left, right, shape, path, found)
            return True
    if before is ABSENT:
        found.added.add(path)
    elif after is ABSENT:
        found.removed.add(path)
    elif not same(before, after):
        found.modified.add(path)
    return False


def _compare_lists(before: list[Any], after: list[Any], shape: Shape, path: Path, found: _Found) -> None:
    old, new = by_entry(before, shape), by_entry(after, shape)
    for element in old | new:
        left, right = old.get(element, []), new.get(element, [])
        here = (*path, element)
        one, other = (side[0] if side else ABSENT for side in (left, right))
        below = shape.below(element)
        if len(left) > 1 and len(right) > 1:
            if not same(left, right):
                found.modified.add(here)
        elif len(left) > 1:
            if right:
                _compare(ABSENT, other, below, here, found)
            found.removed.add(here)
        elif len(right) > 1:
            if left:
                _compare(one, ABSENT, below, here, found)
            found.added.add(here)
        else:
            _compare(one, other, below, here, found)


def with_named(fields: Fields, shape: Shape) -> Fields:
    """Return *fields* and all fields above them that the schema itself names: not the entries of lists, nor people's own keys."""
    found = set(fields)
    for path in fields:
        here = shape
        for depth, element in enumerate(path[:-1], 1):
            if element.startswith("f:") and here.names(element[2:]):
                found.add(path[:depth])
            here = here.below(element)
    return frozenset(found)


def removed(value: Any, fields: Fields, shape: Shape) -> Any:
    """Return *value* without *fields*; None in place of an object or a list that nothing is left of. Parts are shared."""
    return _removed(value, as_v1(fields), shape)


def _removed(value: Any, tree: Tree, shape: Shape) -> Any:
    form = shape.form_of(value)
    if form == "leaf" or not value:
        return value
    if form == "map":
        left = {name: _left(below, tree.get(f"f:{name}"), shape.at(name)) for name, below in value.items()}
        return {name: below for name, below in left.items() if below is not ABSENT} or None
    items = [
        _left(item, tree.get(element), shape.below(element))
        for item, element in ((item, shape.entry(item, place)) for place, item in enumerate(value))
    ]
    return [item for item in items if item is not ABSENT] or None


def _left(value: Any, tree: Tree | None, shape: Shape) -> Any:
    if tree is None:
        return value
    if not tree or "." in tree:
        return ABSENT
    return _removed(value, tree, shape)


def value_of(value: Any, path: Path, shape: Shape) -> Any:
    """Return what is at *path*, `ABSENT` where there is nothing; the first of several entries of one key."""
    for element in path:
        if element.startswith("f:"):
            value = value.get(element[2:], ABSENT) if isinstance(value, dict) else ABSENT
        elif isinstance(value, list):
            value = by_entry(value, shape).get(element, (ABSENT,))[0]
        else:
            return ABSENT
        shape = shape.below(element)
    return value
