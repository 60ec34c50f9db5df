"""Policies of other engines that are not as they should be, made up at random from ones that are."""

from __future__ import annotations

import random
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

Json = dict[str, Any]
Path = tuple[Any, ...]

DEEP = 150


def _deep(kind: type) -> Any:
    found: Any = kind()
    for _ in range(DEEP):
        found = [found] if kind is list else {"matchLabels": found}
    return found


ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 2**31, 2**63, 2**70, float("inf"), float("nan")),
    *(
        "",
        " ",
        "é☃",
        "a\0b",
        "a" * 5_000,
        "0",
        "1:2:3",
        "99999",
        "-1",
        "0.0.0.0/0",
        "10.0.0.0/33",
        "::/0",
        "fe80::1%eth0",
        "!",
        "('",
    ),
    *([], {}, [None], [[]], [{}], [""], {"": ""}, {"a": None}, {"é": ["☃"]}, {"matchLabels": 1}, {"matchExpressions": [{}]}),
    *(_deep(list), _deep(dict)),
)
"""Values that hardly ever are right anywhere."""


def spoilt(one: Json, chance: random.Random) -> Json:
    """Return an object with one to three things wrong in it; its kind, version and name are left, and so is who it is."""
    changed = deepcopy(one)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        _spoil(changed, chance)
    return changed


def _spoil(one: Json, chance: random.Random) -> None:
    places = [place for key in one if key not in {"apiVersion", "kind", "metadata"} for place in _places(one[key], (key,))]
    if not places:
        return
    place = chance.choice(places)
    holder: Any = one
    for step in place[:-1]:
        holder = holder[step]
    here = holder[place[-1]]
    match chance.choice(("replaced", "replaced", "replaced", "unknown", "left out", "twice", "other")):
        case "unknown" if isinstance(here, dict):
            here[chance.choice(("unknown", "", "é", "x" * 300))] = deepcopy(chance.choice(ODD))
        case "left out":
            del holder[place[-1]]
        case "twice" if isinstance(here, list) and here:
            here.append(deepcopy(here[0]))
        case "other":
            holder[place[-1]] = deepcopy(_at(one, chance.choice(places)))
        case _:
            holder[place[-1]] = deepcopy(chance.choice(ODD))


def _places(value: Any, at: Path) -> Iterator[Path]:
    yield at
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in items:
        yield from _places(member, (*at, key))


def _at(one: Any, place: Path) -> Any:
    for step in place:
        one = one[step]
    return one
