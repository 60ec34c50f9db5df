"""The books of ``metadata.managedFields``: who owns what, read from an object and written back as the API server writes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from eksnetpol.fields.paths import Path, as_v1, members
from eksnetpol.fields.sets import Fields
from eksnetpol.model.kinds import Json

Operation = Literal["Apply", "Update"]

BEFORE_FIRST_APPLY = "before-first-apply"
"""Who owns all that was there, where nobody was recorded until somebody applied."""

ANCIENT = "ancient-changes"
"""Who owns what the oldest of too many updaters owned."""

MOST_UPDATERS = 10
"""So many updaters are kept apart (k8s.io/apimachinery, ``DefaultMaxUpdateManagers``)."""

NEVER_OWNED: Fields = frozenset(
    {
        ("f:apiVersion",),
        ("f:kind",),
        ("f:metadata",),
        *(
            ("f:metadata", f"f:{name}")
            for name in (
                "clusterName",
                "creationTimestamp",
                "generation",
                "managedFields",
                "name",
                "namespace",
                "resourceVersion",
                "selfLink",
                "uid",
            )
        ),
    }
)
"""What makes an object the one it is belongs to nobody."""


class Manager(NamedTuple):
    """One line of the books. An applier has one line whatever the version, an updater one for each."""

    name: str
    operation: Operation
    subresource: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Share:
    """What a manager owns. ``time`` is RFC 3339, empty where nothing changed when the line was made."""

    fields: Fields
    version: str
    time: str = ""


Books = dict[Manager, Share]


def read(managed: Iterable[Mapping[str, Any]]) -> Books:
    """Return the books in ``managedFields``; lines that are none of the API's are left out."""
    found: Books = {}
    for line in managed:
        operation = line.get("operation")
        if operation not in {"Apply", "Update"} or not line.get("apiVersion"):
            continue
        version = str(line["apiVersion"])
        who = Manager(
            str(line.get("manager", "")), operation, str(line.get("subresource", "")), "" if operation == "Apply" else version
        )
        found[who] = Share(members(line.get("fieldsV1") or {}), version, str(line.get("time") or ""))
    return found


def books_of(obj: Json | None) -> Books:
    """Return the books of an object."""
    return read((obj or {}).get("metadata", {}).get("managedFields") or ())


def entered(books: Books) -> list[Json]:
    """Return the books as ``managedFields``, in the API server's order: appliers first, then by time and name."""
    return [_line(who, books[who]) for who in sorted(books, key=lambda who: _place(who, books[who]))]


def _place(who: Manager, share: Share) -> tuple[str, ...]:
    return who.operation, share.time, who.name, share.version, who.subresource


def _line(who: Manager, share: Share) -> Json:
    line: Json = {"manager": who.name, "operation": who.operation, "apiVersion": share.version}
    if share.time:
        line["time"] = share.time
    line |= {"fieldsType": "FieldsV1", "fieldsV1": as_v1(share.fields)}
    return line | ({"subresource": who.subresource} if who.subresource else {})


def stamp(now: datetime) -> str:
    """Return *now* as the API writes times: whole seconds, in UTC."""
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def taken(books: Books, fields: Fields) -> Books:
    """Return the books with *fields* taken from everybody; a line that owns nothing any more is gone."""
    left = {who: replace(share, fields=share.fields - fields) for who, share in books.items()}
    return {who: share for who, share in left.items() if share.fields}


def capped(books: Books) -> Books:
    """Return the books with the oldest updaters put into one line where there are too many."""
    updaters = sorted((who for who in books if who.operation == "Update"), key=lambda who: (books[who].time, who.name))
    count = len(updaters)
    found = dict(books)
    first: dict[str, Manager] = {}
    for who in updaters:
        if count <= MOST_UPDATERS:
            break
        version = books[who].version
        if version not in first:
            first[version] = who
            continue
        bucket = Manager(ANCIENT, "Update", "", version)
        old = found.pop(bucket, None) or found.pop(first[version])
        found[bucket] = Share(old.fields | found.pop(who).fields, version, books[who].time)
        count -= 1
    return found


def owners_by_field(books: Books, *, status: bool = False) -> Mapping[Path, tuple[Manager, ...]]:
    """Return who owns each field, in order of their names; those who only write the status are left out unless *status*."""
    found: dict[Path, list[Manager]] = {}
    for who, share in books.items():
        if status or who.subresource != "status":
            for path in share.fields:
                found.setdefault(path, []).append(who)
    return {path: tuple(sorted(who)) for path, who in found.items()}
