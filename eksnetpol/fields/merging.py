"""Puts what somebody applies into what is there, as server-side apply does it.

Objects are put together by their fields and lists by their keys. Entries stand in the order of what is applied; those that only
the live list has keep their place among them (sigs.k8s.io/structured-merge-diff, ``typed/merge.go``).
"""

from __future__ import annotations

from collections import deque
from typing import Any

from eksnetpol.fields import paths
from eksnetpol.fields.paths import Path
from eksnetpol.fields.sets import by_entry
from eksnetpol.fields.structure import Shape
from eksnetpol.fields.values import ABSENT


class DuplicateEntry(ValueError):
    """What is applied has two entries of one key in a list that is known by it, which the API server refuses.

    ``path`` is the list's.
    """

    def __init__(self, path: str, element: str) -> None:
        super().__init__(f"{path}: duplicate entries for key {element}")
        self.path = path


def refuse_duplicates(value: Any, shape: Shape, path: Path = ()) -> None:
    """Raise `DuplicateEntry` where a list in *value* has two entries of one key."""
    form = shape.form_of(value)
    if form == "map":
        for name, below in (value or {}).items():
            refuse_duplicates(below, shape.at(name), (*path, f"f:{name}"))
    elif form == "list":
        for element, items in by_entry(value or (), shape).items():
            if len(items) > 1:
                raise DuplicateEntry(paths.text(path), paths.text((element,)))
            refuse_duplicates(items[0], shape.below(element), (*path, element))


def merged(live: Any, wanted: Any, shape: Shape) -> Any:
    """Return *live* with the fields of *wanted*; `ABSENT` stands for nothing on either side. Shares parts with both."""
    if wanted is ABSENT:
        return live
    if live is ABSENT:
        return wanted
    form = shape.form_of(wanted)
    if form == "map":
        old = live if isinstance(live, dict) else {}
        new = wanted if isinstance(wanted, dict) else {}
        if old or new:
            names = {**old, **new}
            return {name: merged(old.get(name, ABSENT), new.get(name, ABSENT), shape.at(name)) for name in names}
    elif form == "list":
        left = live if isinstance(live, list) else []
        right = wanted if isinstance(wanted, list) else []
        if left or right:
            return _merged_lists(left, right, shape)
    return wanted


def _merged_lists(live: list[Any], wanted: list[Any], shape: Shape) -> list[Any]:
    return _Lists(live, wanted, shape).together()


class _Lists:
    """Two lists walked side by side, an entry of one or of both at a time."""

    def __init__(self, live: list[Any], wanted: list[Any], shape: Shape) -> None:
        self._shape = shape
        self._live = live
        self._old = [shape.entry(item, place) for place, item in enumerate(live)]
        self._new = [shape.entry(item, place) for place, item in enumerate(wanted)]
        self._wanted_by = dict(zip(self._new, wanted, strict=True))
        self._live_by: dict[str, Any] = {}
        for element, item in zip(self._old, live, strict=True):
            # Of entries that share a key none is the one to merge with: what is applied takes the place of all.
            self._live_by[element] = ABSENT if element in self._live_by else item
        self._shared = deque(element for element in self._new if element in self._live_by)
        self._turn = self._shared.popleft() if self._shared else None
        self._found: list[Any] = []
        self._done: set[str] = set()

    def together(self) -> list[Any]:
        left = right = 0
        while left < len(self._old) or right < len(self._new):
            both = left < len(self._old) and right < len(self._new)
            if both and self._old[left] == self._new[right]:
                self._take(right, always=True)
                left, right = left + 1, right + 1
            elif both and self._comes_later(self._old[left]):
                left += 1
            elif left < len(self._old) and self._old[left] not in self._wanted_by:
                self._found.append(self._live[left])
                left += 1
            else:
                if left < len(self._old) and self._old[left] in self._done:
                    left += 1
                if right < len(self._new):
                    self._take(right)
                    right += 1
        return self._found

    def _comes_later(self, element: str) -> bool:
        """Say whether an entry of the live list is applied as well, but is not the next one of those in both."""
        return element in self._wanted_by and self._turn is not None and self._turn != element

    def _take(self, place: int, *, always: bool = False) -> None:
        element = self._new[place]
        self._found.append(merged(self._live_by.get(element, ABSENT), self._wanted_by[element], self._shape.below(element)))
        self._done.add(element)
        if always or element == self._turn:
            self._turn = self._shared.popleft() if self._shared else None
