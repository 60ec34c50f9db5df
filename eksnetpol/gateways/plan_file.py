"""Plans as files: the plan's own JSON with a digest beside it, so that what is carried out later is what was shown."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

import msgspec

from eksnetpol import __version__
from eksnetpol.errors import UnreadableInput, UsageError
from eksnetpol.gateways.durable import replace_file
from eksnetpol.model.plan import FORMAT, Plan

KIND = "Plan"
_DIGEST = "digest"
_PLACE = re.compile(r" - at `(?P<path>[^`]*)`$")
_VERSION = re.compile(r"eksnetpol\.io/v(\d+)")
_HOW = "as `eksnetpol enable --out FILE` writes it"
_ANEW = "make the plan anew instead of editing it"


def encode(plan: Plan) -> bytes:
    """Return *plan* as the document that `decode` reads."""
    built = msgspec.to_builtins(plan)
    head = {key: built.pop(key) for key in ("apiVersion", "kind")}
    text = msgspec.json.encode({**head, _DIGEST: plan.digest, **built})
    return msgspec.json.format(text, indent=2) + b"\n"


def decode(data: bytes, place: str) -> Plan:
    """Return the plan that *data* holds; raise `UnreadableInput` for what is none, or none that this version wrote.

    What is refused: another kind or format, a key that no plan has, and content that its digest does not stand for.
    """
    if not data.strip():
        raise UnreadableInput(place, f"this is empty; expected a {KIND} {_HOW}")
    try:
        document = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableInput(place, f"this is not JSON ({error}); expected a {KIND} {_HOW}") from None
    if not isinstance(document, dict):
        raise UnreadableInput(place, f"this is no {KIND}; expected one {_HOW}")
    _check_head(document, place)
    digest = document.pop(_DIGEST, None)
    if not isinstance(digest, str):
        raise UnreadableInput(place, f"{_DIGEST} is missing, so nothing shows that this is the plan that was made; {_ANEW}")
    try:
        plan = msgspec.convert(document, Plan)
    except msgspec.ValidationError as error:
        found = _PLACE.search(str(error))
        path = found["path"].removeprefix("$").removeprefix(".") if found else ""
        raise UnreadableInput(place, f"{path or 'the document'}: {_PLACE.sub('', str(error))}; {_ANEW}") from None
    if plan.digest != digest:
        other = f", or made by another eksnetpol ({plan.tool})" if plan.tool != __version__ else ""
        raise UnreadableInput(
            place, f"this was edited by hand or damaged{other}: its digest is {digest}, its content's {plan.digest}; {_ANEW}"
        )
    return plan


def _check_head(document: dict[str, Any], place: str) -> None:
    api, kind = document.get("apiVersion"), document.get("kind")
    if (api, kind) == (FORMAT, KIND):
        return
    found = _VERSION.fullmatch(str(api))
    if kind == KIND and found and int(found[1]) > int(FORMAT.rsplit("v", 1)[1]):
        by = f" by eksnetpol {document['tool']}" if document.get("tool") else ""
        raise UnreadableInput(
            place,
            f"this plan was written{by} in format {api}; this is eksnetpol {__version__}, which reads {FORMAT}: "
            "update eksnetpol, or make the plan with this version",
        )
    seen = f"this is a {api} {kind}" if api and kind else "this has no apiVersion and kind"
    raise UnreadableInput(place, f"{seen}, expected {FORMAT} {KIND} {_HOW}")


def write_plan(plan: Plan, path: str | Path) -> None:
    """Write *plan* to *path*, ``-`` for stdout; raise `UsageError` where that cannot be done.

    A file is readable for its owner alone, and is there whole or not at all.
    """
    data = encode(plan)
    if str(path) == "-":
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    try:
        replace_file(Path(os.path.realpath(path)), data)
    except OSError as error:
        raise UsageError(f"{path}: the plan cannot be written there: {error.strerror}") from error


def read_plan(path: str | Path) -> Plan:
    """Return the plan in *path*, ``-`` for stdin; raise `UsageError` where there is no such file, else as `decode` does."""
    place = "stdin" if str(path) == "-" else str(path)
    try:
        data = sys.stdin.buffer.read() if place == "stdin" else Path(path).read_bytes()
    except FileNotFoundError:
        raise UsageError(f"{place}: there is no such file; `eksnetpol enable --out {place}` makes one") from None
    except OSError as error:
        raise UsageError(f"{place}: the plan cannot be read: {error.strerror}") from error
    return decode(data, place)
