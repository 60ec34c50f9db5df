"""`eksnetpol.toml`: where it is found, and what is said when it is wrong."""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from eksnetpol.errors import UnreadableInput, UsageError
from eksnetpol.model.findings import Severity
from eksnetpol.model.settings import MigrationWaiverSetting, PolicySettings, Settings, TargetSettings, WaiverSetting

NAME = "eksnetpol.toml"

_UNKNOWN = re.compile(r"Object contains unknown field `(?P<key>[^`]*)`(?: - at `(?P<path>[^`]*)`)?$")
_AT = re.compile(r"^(?P<what>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)
_LINE = re.compile(r"\(at line (?P<line>\d+), column \d+\)")
_STEP = re.compile(r"\.(?P<key>[^.\[\]]+)|\[(?P<index>\d+)\]|\[\.\.\.\]")
_HEADER = re.compile(r"^\s*(?P<open>\[\[?)\s*(?P<name>[^\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"^\s*(?P<key>\"[^\"]*\"|'[^']*'|[A-Za-z0-9_-]+)\s*(?:\.[^=]*)?=")


def find(start: Path) -> Path | None:
    """Return the `eksnetpol.toml` that holds in *start*: there, or in the folders above up to the repository's root.

    The root is the folder with ``.git``. Outside of any repository only *start* itself is looked at, so that a file in
    somebody's home folder does not decide over everything below it.
    """
    folders = [start, *start.parents]
    root = next((folder for folder in folders if (folder / ".git").exists()), start)
    for folder in folders[: folders.index(root) + 1]:
        if (folder / NAME).is_file():
            return folder / NAME
    return None


def read(path: str | Path | None = None, start: Path | None = None) -> tuple[Settings, Path | None]:
    """Return the settings of *path*, or of the file that holds in *start* (the working directory), and where they are from.

    Without any file these are the defaults and None. Raises `UnreadableInput`, with the line where it can be told, when the
    file is no TOML, holds a key that means nothing or a value of the wrong kind; `UsageError` when *path* does not exist.
    """
    where = Path(path) if path is not None else find((start or Path.cwd()).resolve())
    if where is None:
        return Settings(), None
    try:
        text = where.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise UsageError(f"{where}: there is no such file; leave --config out to use {NAME}, if there is one") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UnreadableInput(f"{where}:{line}", "this is not UTF-8, which TOML is always written in") from None
    except OSError as error:
        raise UsageError(f"{where}: cannot be read: {error.strerror}") from error
    return parse(text, str(where)), where


def parse(text: str, place: str) -> Settings:
    """Return the settings that *text*, in TOML, holds. *place* is what to call it in errors."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _LINE.search(str(error))
        line = int(found["line"]) if found else text.count("\n") + 1
        what = _LINE.sub("", str(error)).replace("(at end of document)", "").strip()
        raise UnreadableInput(f"{place}:{line}", f"this is not TOML: {what[:1].lower()}{what[1:]}") from None
    except RecursionError:
        raise UnreadableInput(place, "its values are nested too deeply to be settings") from None
    try:
        return msgspec.convert(raw, Settings)
    except msgspec.ValidationError as error:
        raise _explained(str(error), text, raw, place) from None


def _explained(message: str, text: str, raw: dict[str, Any], place: str) -> UnreadableInput:
    unknown = _UNKNOWN.search(message)
    found = unknown or _AT.match(message)
    steps = _steps((found["path"] if found else None) or "$", raw)
    if unknown:
        key = unknown["key"]
        known = _known(steps)
        close = difflib.get_close_matches(key.replace("_", "-"), known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}"
        where, what = [*steps, key], f"there is no setting {_dotted([*steps, key])!r}; {hint}"
    else:
        where, what = steps, f"{_dotted(steps) or 'the file'}: {_lowered(found['what'] if found else message)}"
    line = _line_of(text, where)
    return UnreadableInput(f"{place}:{line}" if line else place, what)


def _lowered(words: str) -> str:
    return f"{words[:1].lower()}{words[1:]}"


def _steps(path: str, raw: Any) -> list[str | int]:
    """Cut ``$.waivers[2].expires`` at its joints; ``[...]``, some key of a mapping, becomes the key that is wrong."""
    steps: list[str | int] = []
    for found in _STEP.finditer(path):
        if found["key"] is not None:
            steps.append(found["key"])
        elif found["index"] is not None:
            steps.append(int(found["index"]))
        elif steps == ["severity"] and isinstance(raw.get("severity"), dict):
            steps += [key for key, value in raw["severity"].items() if value not in set(Severity)][:1]
    return steps


def _known(steps: list[str | int]) -> list[str]:
    tables: dict[str, type[msgspec.Struct]] = {
        "waivers": WaiverSetting,
        "migration-waivers": MigrationWaiverSetting,
        "target": TargetSettings,
        "policy": PolicySettings,
    }
    table = tables.get(str(steps[0]), Settings) if steps else Settings
    return sorted(field.encode_name for field in msgspec.structs.fields(table))


def _dotted(steps: list[str | int]) -> str:
    words = ""
    for step in steps:
        words += f"[{step}]" if isinstance(step, int) else f".{step}" if words else step
    return words


def _line_of(text: str, steps: list[str | int]) -> int | None:
    """Return the line on which the value at *steps* starts, as far as plain reading of tables and keys tells."""
    table: list[str | int] = []
    counts: dict[str, int] = {}
    best: tuple[int, int] = (0, 0)
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            name = header["name"].strip("\"'")
            table = [name]
            if header["open"] == "[[":
                table.append(counts.get(name, 0))
                counts[name] = counts.get(name, 0) + 1
            here = table
        elif key := _KEY.match(line):
            here = [*table, key["key"].strip("\"'")]
        else:
            continue
        if here == steps[: len(here)] and len(here) > best[0]:
            best = (len(here), number)
    return best[1] or None
