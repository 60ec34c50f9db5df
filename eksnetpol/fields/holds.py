"""Whether an object holds what is wanted, whatever else it has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from eksnetpol.fields import paths
from eksnetpol.fields.sets import by_entry
from eksnetpol.fields.structure import SAID_BY_SILENCE, Layout, Shape, layout_of
from eksnetpol.fields.values import ABSENT, Absent, same
from eksnetpol.model.kinds import Json

__all__ = ["ABSENT", "Absent", "Difference", "differences", "value_at"]

FILLED_IN: Final[Mapping[str, tuple[Any, ...]]] = {
    "apiGroup": ("", "rbac.authorization.k8s.io"),
    "apiVersion": ("v1",),
    "defaultMode": (420,),
    "divisor": ("0",),
    "expirationSeconds": (3600,),
    "policyTypes": (["Ingress"], ["Ingress", "Egress"]),
    "protocol": ("TCP",),
}
"""What the API server fills in within undivided values (``fieldRef``, rules, subjects): leaving it out is saying it."""

_IDENTITY = frozenset({"f:apiVersion", "f:kind"})
_KEPT_BY_THE_SERVER = frozenset(
    {"creationTimestamp", "generation", "managedFields", "name", "namespace", "resourceVersion", "uid"}
)


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that is not as wanted. ``path`` is as the API server says it, ``live`` None where it is not there."""

    path: str
    live: Any
    wanted: Any


def differences(live: Json | None, wanted: Json, layout: Layout | None = None) -> tuple[Difference, ...]:
    """Return every field of *wanted* that *live* does not have with that value, in order; none where all is there.

    Entries of lists are found by their keys, wherever they stand. A value that is not divided (arguments, rules) must be there as
    a whole, but for what the API server fills in by itself (`FILLED_IN`). What makes an object the one it is is not compared.
    """
    layout = layout or layout_of(wanted)
    found = _differences(ABSENT if live is None else live, wanted, layout.shape, ())
    return tuple(Difference(paths.text(path), None if seen is ABSENT else seen, want) for path, seen, want in found)


def _differences(live: Any, wanted: Any, shape: Shape, path: paths.Path) -> Iterator[tuple[paths.Path, Any, Any]]:
    form = shape.form_of(wanted)
    if form == "map" and wanted:
        inside = live if isinstance(live, Mapping) else {}
        for name, want in wanted.items():
            here = (*path, f"f:{name}")
            if not _is_identity(here):
                yield from _differences(inside.get(name, ABSENT), want, shape.at(name), here)
    elif form == "list" and wanted:
        entries = by_entry(live, shape) if isinstance(live, list) else {}
        for element, wants in by_entry(wanted, shape).items():
            seen = entries.get(element, (ABSENT,))[0]
            yield from _differences(seen, wants[0], shape.below(element), (*path, element))
    elif form != "leaf":
        # An object or a list with nothing in it asks for nothing of it: what is there need not even be said.
        if wanted is None and live not in (ABSENT, None):
            yield path, live, wanted
    elif not (_as_good_as(live, wanted) or (live is ABSENT and _silent(path[-1][2:], wanted))):
        yield path, live, wanted


def _is_identity(path: paths.Path) -> bool:
    if len(path) == 1:
        return path[0] in _IDENTITY
    return path[0] == "f:metadata" and len(path) == 2 and path[1][2:] in _KEPT_BY_THE_SERVER  # noqa: PLR2004 - metadata, name


def _silent(name: str, wanted: Any) -> bool:
    """Say whether the API server writes nothing down for a field with this value."""
    return wanted == [] or (isinstance(wanted, (bool, str)) and not wanted and name in SAID_BY_SILENCE)


def _as_good_as(live: Any, wanted: Any) -> bool:
    """Compare undivided values: what the API server fills in may be missing in *wanted*, what it never writes in *live*."""
    if live is ABSENT:
        return wanted is None
    if isinstance(wanted, dict) and isinstance(live, dict):
        filled = {name: value for name, value in live.items() if name not in wanted}
        return all(
            _as_good_as(live[name], value) if name in live else _silent(name, value) for name, value in wanted.items()
        ) and all(any(same(value, usual) for usual in FILLED_IN.get(name, ())) for name, value in filled.items())
    if isinstance(wanted, list) and isinstance(live, list):
        return len(wanted) == len(live) and all(map(_as_good_as, live, wanted))
    return same(live, wanted)


def value_at(obj: Any, said: str) -> Any:
    """Return what is at the path *said* (`paths.text`), `ABSENT` where there is nothing or it is no path.

    Keys with dots are found by looking: of the keys that could be meant the longest is.
    """
    here: Any = obj
    rest = said
    while rest:
        if rest[0] == ".":
            name = _key_of(here, rest[1:])
            if name is None:
                return ABSENT
            here, rest = here[name], rest[1 + len(name) :]
        else:
            try:
                element, end = paths.entry_in(rest)
            except ValueError:
                return ABSENT
            here, rest = _entry(here, element), rest[end:]
            if here is ABSENT:
                return ABSENT
    return here


def _key_of(here: Any, rest: str) -> str | None:
    if not isinstance(here, Mapping):
        return None
    fits = (name for name in here if rest.startswith(name) and (len(rest) == len(name) or rest[len(name)] in ".["))
    return max(fits, key=len, default=None)


def _entry(here: Any, element: str) -> Any:
    if not isinstance(here, list):
        return ABSENT
    if element.startswith("i:"):
        place = int(element[2:])
        return here[place] if 0 <= place < len(here) else ABSENT
    if element.startswith("v:"):
        return next((item for item in here if paths.value(item) == element), ABSENT)
    keys = paths.keys_of(element)
    return next((item for item in here if isinstance(item, Mapping) and all(_has(item, *key) for key in keys.items())), ABSENT)


def _has(item: Mapping[str, Any], name: str, value: Any) -> bool:
    return same(item[name], value) if name in item else any(same(value, usual) for usual in FILLED_IN.get(name, ()))
