"""JSON patches (RFC 6902) over JSON pointers (RFC 6901), as pure functions.

In one thing the API server's library (evanphx/json-patch v4) is followed and not the RFC: replacing a key that is not there
adds it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from eksnetpol.fields.values import copied, same
from eksnetpol.model.kinds import Json


class TestFailed(Exception):
    """A ``test`` of a patch did not hold; nothing of the patch was done. ``path`` is its pointer."""

    __test__ = False  # the name is RFC 6902's; pytest need not look for tests in it

    def __init__(self, path: str, seen: str) -> None:
        super().__init__(f"testing value {path} failed: {seen}")
        self.path = path


class BadPatch(ValueError):
    """A patch speaks of a place that is not there, or is no patch."""


def pointer(*parts: str | int) -> str:
    """Return the JSON pointer of these keys and places: ``/metadata/finalizers/0``."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)


def patched(obj: Json, operations: Iterable[Mapping[str, Any]]) -> Json:
    """Return *obj* after a JSON patch; *obj* itself stays as it is.

    Raise `TestFailed` where a test does not hold and `BadPatch` where an operation cannot be done: either way all of it is void.
    """
    found: Any = {"": copied(obj)}
    for operation in operations:
        _do(found, operation)
    whole = found[""]
    if not isinstance(whole, dict):
        raise BadPatch("the patch leaves no object")
    return whole


def _do(root: Any, operation: Mapping[str, Any]) -> None:
    path = _parts(_told(operation, "path"))
    match operation.get("op"):
        case "test":
            _test(root, path, operation)
        case "add":
            _add(root, path, copied(_told(operation, "value")))
        case "replace":
            _set(root, path, copied(_told(operation, "value")))
        case "remove":
            _remove(root, path)
        case "copy":
            _add(root, path, copied(_get(root, _parts(_told(operation, "from")))))
        case "move":
            source = _parts(_told(operation, "from"))
            if path[: len(source)] == source and path != source:
                raise BadPatch(f"{_said(source)} cannot be moved into itself")
            value = _get(root, source)
            _remove(root, source)
            _add(root, path, value)
        case other:
            raise BadPatch(f"{other!r} is no operation of a JSON patch")


def _told(operation: Mapping[str, Any], name: str) -> Any:
    if name not in operation:
        raise BadPatch(f"an operation {operation.get('op')!r} without {name!r}")
    return operation[name]


def _parts(path: Any) -> tuple[str, ...]:
    """Return the keys of a pointer, the first of them standing for the whole document."""
    if not isinstance(path, str) or (path and not path.startswith("/")):
        raise BadPatch(f"{path!r} is no JSON pointer")
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in path.split("/"))


def _said(path: tuple[str, ...]) -> str:
    return pointer(*path[1:])


def _test(root: Any, path: tuple[str, ...], operation: Mapping[str, Any]) -> None:
    wanted = operation.get("value")
    try:
        seen = _get(root, path)
    except BadPatch:
        if wanted is None:
            return
        raise TestFailed(_said(path), "there is no such value") from None
    if not same(seen, wanted):
        raise TestFailed(_said(path), "it has another value")


def _get(root: Any, path: tuple[str, ...]) -> Any:
    here = root
    for part in path:
        if isinstance(here, dict) and part in here:
            here = here[part]
        elif isinstance(here, list):
            here = here[_place(here, part, path)]
        else:
            raise BadPatch(f"there is nothing at {_said(path)}")
    return here


def _place(items: list[Any], part: str, path: tuple[str, ...], *, end: bool = False) -> int:
    """Return the place in a list that *part* names; with *end* the one after its last is one as well."""
    if end and part == "-":
        return len(items)
    if not part.isascii() or not part.isdigit() or (len(part) > 1 and part[0] == "0"):
        raise BadPatch(f"{_said(path)}: {part!r} is no place in a list")
    place = int(part)
    if place >= len(items) + end:
        raise BadPatch(f"{_said(path)}: the list has {len(items)} entries")
    return place


def _add(root: Any, path: tuple[str, ...], value: Any) -> None:
    above, last = _get(root, path[:-1]), path[-1]
    if isinstance(above, list):
        above.insert(_place(above, last, path, end=True), value)
    elif isinstance(above, dict):
        above[last] = value
    else:
        raise BadPatch(f"there is nothing at {_said(path[:-1])} to add to")


def _set(root: Any, path: tuple[str, ...], value: Any) -> None:
    above, last = _get(root, path[:-1]), path[-1]
    if isinstance(above, list):
        above[_place(above, last, path)] = value
    elif isinstance(above, dict):
        above[last] = value
    else:
        raise BadPatch(f"there is nothing at {_said(path[:-1])} to replace anything of")


def _remove(root: Any, path: tuple[str, ...]) -> None:
    _get(root, path)
    above, last = _get(root, path[:-1]), path[-1]
    if isinstance(above, list):
        del above[_place(above, last, path)]
    else:
        del above[last]
