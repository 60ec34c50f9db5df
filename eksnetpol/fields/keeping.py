"""An apply that adds to what earlier ones of the same manager hold, instead of taking its place.

Server-side apply gives up every field that the manager held and does not name again, and removes those nobody else holds. So
whoever wants to change one field has to say all others of theirs as well: with the values that are live, which only who has the
whole object knows.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from eksnetpol.fields import paths
from eksnetpol.fields.managers import books_of
from eksnetpol.fields.merging import merged
from eksnetpol.fields.owners import MANAGER
from eksnetpol.fields.paths import Path, Tree, as_v1
from eksnetpol.fields.sets import Fields, by_entry
from eksnetpol.fields.structure import Layout, Shape, layout_of
from eksnetpol.fields.values import ABSENT
from eksnetpol.model.kinds import Json


def kept(
    live: Json | None, wanted: Json, *, manager: str = MANAGER, drops: Collection[str] = (), layout: Layout | None = None
) -> Json:
    """Return *wanted* and all that *manager* has applied to *live*, with its live value, but for the fields in *drops*.

    *drops* are paths as `paths.text` writes them, and mean what is below them too. What *wanted* says counts over what is live.
    *live* must be whole: a field that the manager holds and that is not there is left out.
    """
    held = _held(live, manager, drops)
    if not held or live is None:
        return wanted
    shape = (layout or layout_of(wanted)).shape
    found = _only(live, as_v1(held), shape)
    return wanted if found is ABSENT else merged(found, wanted, shape)


def _held(live: Json | None, manager: str, drops: Collection[str]) -> Fields:
    shares = (s for who, s in books_of(live).items() if (who.name, who.operation, who.subresource) == (manager, "Apply", ""))
    dropped = frozenset(drops)
    return frozenset(path for share in shares for path in share.fields if not (dropped and _is_below(path, dropped)))


def _is_below(path: Path, dropped: frozenset[str]) -> bool:
    return any(paths.text(path[:depth]) in dropped for depth in range(1, len(path) + 1))


def _only(value: Any, tree: Tree, shape: Shape) -> Any:
    """Return what of *value* is in *tree*, `ABSENT` for nothing; entries of lists always with their keys."""
    form = shape.form_of(value)
    if form == "leaf" or not value:
        return value
    if form == "map":
        below = {name: _only(value[name], tree[f"f:{name}"], shape.at(name)) for name in value if f"f:{name}" in tree}
        return {name: item for name, item in below.items() if item is not ABSENT}
    items = [
        _entry(item, tree[element], shape.below(element), shape)
        for element, entries in by_entry(value, shape).items()
        if element in tree
        for item in entries
    ]
    return [item for item in items if item is not ABSENT]


def _entry(item: Any, tree: Tree, shape: Shape, of_list: Shape) -> Any:
    found = _only(item, tree, shape)
    if isinstance(item, dict) and isinstance(found, dict):
        return {**{key: item[key] for key in of_list.keys if key in item}, **found}
    return found
