"""Server-side apply, and what an ordinary write does to the books: pure functions from objects to objects.

What they return shares parts with what they were given: treat both as values. Nothing is defaulted and nothing validated. An
object of which only some fields are known works as well, its answers then being about those.

All lines of an object's books are read as if they spoke of the version the object is given in: conversions between versions of a
kind are not done here, and the kinds that are written have one version each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from eksnetpol.fields import paths
from eksnetpol.fields.managers import (
    BEFORE_FIRST_APPLY,
    NEVER_OWNED,
    Books,
    Manager,
    Share,
    books_of,
    capped,
    entered,
    read,
    stamp,
    taken,
)
from eksnetpol.fields.merging import DuplicateEntry, merged, refuse_duplicates
from eksnetpol.fields.patch import BadPatch, TestFailed, patched
from eksnetpol.fields.sets import Fields, compare, fields_of, removed, value_of, with_named
from eksnetpol.fields.structure import Layout, Shape, layout_of, without_emptied
from eksnetpol.fields.values import ABSENT, same, without_nulls
from eksnetpol.model.kinds import Json

__all__ = ["BadPatch", "Conflicting", "DuplicateEntry", "FieldConflict", "TestFailed", "applied", "patched", "written"]

_STATUS = (("f:status",),)


@dataclass(frozen=True, slots=True)
class Conflicting:
    """A field that others own with another value. ``path`` is as the API server says it, ``live`` None where it is not there."""

    path: str
    managers: tuple[str, ...]
    live: Any
    wanted: Any


class FieldConflict(Exception):
    """An apply that was not forced would change what others own. The text is the API server's."""

    def __init__(self, fields: tuple[Conflicting, ...], message: str) -> None:
        super().__init__(message)
        self.fields = fields


def applied(live: Json | None, wanted: Json, *, manager: str, force: bool, now: datetime, layout: Layout | None = None) -> Json:
    """Return *live* after *manager* has applied *wanted*, books included; *live* is None where there is no such object.

    Raise `FieldConflict` where others own a field with another value and not *force*, `DuplicateEntry` where *wanted* itself is
    none that can be applied. *layout* is how this kind divides, where that is not to be found by its name (`layout_of`).
    """
    layout = layout or layout_of(wanted)
    attempt = _Attempt.of(live, wanted, manager, layout, now)
    if attempt.conflicts and not force:
        raise FieldConflict(attempt.conflicting(), attempt.message())
    before, after = attempt.before, attempt.after
    changed = taken(attempt.others, attempt.set | attempt.removed)
    mine = attempt.mine - NEVER_OWNED
    if mine:
        told = stamp(now) if not same(before, after) else attempt.told
        changed[Manager(manager, "Apply")] = Share(mine, str(wanted.get("apiVersion", "")), told)
    return with_books(without_emptied(after, layout), changed)


@dataclass(frozen=True, slots=True)
class _Attempt:
    """What an apply comes to before anybody says whether it may."""

    before: Json
    after: Json
    others: Books
    mine: Fields
    told: str
    set: Fields
    removed: Fields
    shape: Shape

    @classmethod
    def of(cls, live: Json | None, wanted: Json, manager: str, layout: Layout, now: datetime) -> _Attempt:
        shape = layout.shape
        wanted = without_books(without_nulls(wanted))
        if layout.status:
            wanted.pop("status", None)
        refuse_duplicates(wanted, shape)
        before = without_books(live or {})
        books = books_of(live)
        if live is not None and not books:
            # Nobody was recorded so far: from now on somebody is.
            all_of_it = compare(layout.empty, before, shape).without(_ignored(layout)).set - NEVER_OWNED
            version = str(live.get("apiVersion", wanted.get("apiVersion", "")))
            who = Manager(BEFORE_FIRST_APPLY, "Update", "", version)
            books = {who: Share(all_of_it, version, stamp(now))} if all_of_it else {}
        last = books.pop(Manager(manager, "Apply"), None)
        mine = fields_of(wanted, shape)
        after = merged(before, wanted, shape)
        if last is not None and last.fields:
            after = _pruned(after, last.fields, books, mine, shape)
        found = compare(before, after, shape).without(_ignored(layout))
        return cls(before, after, books, mine, last.time if last else "", found.set, found.removed, shape)

    @property
    def conflicts(self) -> tuple[tuple[Manager, paths.Path], ...]:
        """Who owns what would change."""
        pairs = ((who, path) for who, share in self.others.items() for path in share.fields & self.set)
        return tuple(sorted(pairs, key=lambda pair: (pair[0], paths.text(pair[1]))))

    def conflicting(self) -> tuple[Conflicting, ...]:
        """Return the conflicts by field."""
        by_path: dict[paths.Path, set[str]] = {}
        for who, path in self.conflicts:
            by_path.setdefault(path, set()).add(who.name)
        return tuple(
            Conflicting(paths.text(path), tuple(sorted(by_path[path])), self._at(self.before, path), self._at(self.after, path))
            for path in sorted(by_path, key=paths.text)
        )

    def _at(self, obj: Json, path: paths.Path) -> Any:
        found = value_of(obj, path, self.shape)
        return None if found is ABSENT else found

    def message(self) -> str:
        """Return what the API server says of it."""
        found = self.conflicts
        if len(found) == 1:
            ((who, path),) = found
            return f"Apply failed with 1 conflict: conflict with {_called(who)}: {paths.text(path)}"
        lines: dict[Manager, list[str]] = {}
        for who, path in found:
            lines.setdefault(who, [f"conflicts with {_called(who)}:"]).append(f"- {paths.text(path)}")
        return f"Apply failed with {len(found)} conflicts: " + "\n".join(line for group in lines.values() for line in group)


def _called(who: Manager) -> str:
    name = f'"{who.name}"' + (f' with subresource "{who.subresource}"' if who.subresource else "")
    return f"{name} using {who.version}" if who.operation == "Update" else name


def _pruned(after: Json, last: Fields, others: Books, mine: Fields, shape: Shape) -> Json:
    """Return *after* without what the manager applied before and not this time, as far as nobody else owns it.

    An object that nothing is left of is null and not absent: who owns it as such keeps it in the books.
    """
    owned = with_named(mine.union(*(share.fields for share in others.values())), shape)
    once = with_named(last, shape)
    everything = with_named(fields_of(after, shape), shape)
    bare = with_named(fields_of(removed(after, once, shape), shape), shape)
    kept = removed(after, everything - (bare | owned), shape)
    # Taking a field away takes what is below it too: only what this manager had is really taken.
    gone = (everything - with_named(fields_of(kept, shape), shape)) & once
    return removed(after, gone, shape) or {}


def written(
    live: Json | None, new: Json, *, manager: str, now: datetime, subresource: str = "", layout: Layout | None = None
) -> Json:
    """Return *new* with the books as an ordinary write of it by *manager* leaves them: a create where *live* is None.

    Books that *new* brings along replace those of *live*; empty ones are a wish to be rid of all. An object that nobody is
    recorded for stays without record, as the API server has it. Writing to the *subresource* ``status`` owns nothing but status.
    """
    layout = layout or layout_of(new)
    told = new.get("metadata", {}).get("managedFields")
    reset = told is not None and (not told or told == [{}])
    books = {} if reset else (read(told or ()) or books_of(live))
    if live is not None and not books:
        return without_books(new)
    after = without_books(new)
    found = compare(layout.empty if live is None else without_books(live), after, layout.shape)
    found = found.without(_SPEC if subresource == "status" else _ignored(layout))
    left = taken(books, found.set | found.removed)
    mine = found.set - NEVER_OWNED
    if mine:
        version = str(new.get("apiVersion", ""))
        who = Manager(manager, "Update", subresource, version)
        old = left.get(who)
        left[who] = Share(mine | (old.fields if old else frozenset()), version, stamp(now))
    return with_books(after, capped(left))


_SPEC = (("f:spec",), ("f:metadata",))


def _ignored(layout: Layout) -> tuple[paths.Path, ...]:
    """What a write that is not about the status neither changes nor owns."""
    return _STATUS if layout.status else ()


def without_books(obj: Mapping[str, Any]) -> Json:
    """Return a shallow copy of *obj* without ``managedFields``."""
    found = dict(obj)
    meta = found.get("metadata")
    if isinstance(meta, Mapping) and "managedFields" in meta:
        found["metadata"] = {name: value for name, value in meta.items() if name != "managedFields"}
    return found


def with_books(obj: Json, books: Books) -> Json:
    """Return a shallow copy of *obj* with these books in place of its own."""
    found = without_books(obj)
    if books:
        found["metadata"] = {**found.get("metadata", {}), "managedFields": entered(books)}
    return found
