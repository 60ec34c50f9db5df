"""What holds in this run, and where it is from: a flag before a variable before `eksnetpol.toml` before the default."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import Enum, IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from eksnetpol.cli.base import Option
from eksnetpol.cli.options import LIVE, CheckId, option, together
from eksnetpol.cli.terminal import Terminal

if TYPE_CHECKING:
    from eksnetpol.model.settings import Settings

_FIELDS = {"for": "intent", "output": "outputs", "as": "as_user"}
_PATHS = ("snapshot", "manifests", "baseline")
_TABLES = ("target", "policy")
_LISTS = ("waivers", "migration-waivers")
# Of tables, which no flag and no variable says.
_OF_THE_RUN = frozenset({"config", "show-config", "debug"})


class Level(IntEnum):
    """Who says so; the greater wins."""

    DEFAULT = 0
    FILE = 1
    VARIABLE = 2
    FLAG = 3


@dataclass(frozen=True, slots=True)
class Said:
    """Where a setting is from: who, and in which words."""

    level: Level
    words: str


@dataclass(frozen=True, slots=True)
class Config:
    """The settings of this run. ``said`` has the origin of each by its key, ``target.region``; ``file`` is the file read."""

    settings: Settings
    said: Mapping[str, Said]
    file: Path | None

    def level(self, *keys: str) -> Level:
        """Return the highest level at which any of *keys* was said."""
        return max((self.said[key].level for key in keys if key in self.said), default=Level.DEFAULT)

    def terminal(self) -> Terminal:
        """Return how the person wants to be spoken to."""
        own = self.settings
        return Terminal(own.verbose, own.quiet, own.color, own.width, own.no_input)

    def text(self) -> str:
        """Return everything as TOML that could be the file, each line with where it is from."""
        rows = list(_rows(self.settings, self.said))
        broad = min(max((len(line) for _, line, _ in rows), default=0), 60)
        lines = [f"# {self.file}" if self.file else "# no eksnetpol.toml was found"]
        table = ""
        for at, line, origin in rows:
            if at != table:
                lines += ["", at]
                table = at
            lines.append(f"{line.ljust(broad)}  # {origin}" if origin else line)
        return "\n".join(lines) + "\n"


configuration = together(
    option(
        "--config",
        group="Configuration",
        metavar="FILE",
        help="Settings; else eksnetpol.toml here or above, up to the repository's root.",
    ),
    option(
        "--show-config",
        group="Configuration",
        is_flag=True,
        help="Print the settings that would hold, and where each is from; then stop.",
    ),
)
"""Options that say which file of settings, and what came of all of them."""


def merge(ctx: click.Context) -> Config:
    """Return what the flags, the variables and the file amount to.

    Raises `UsageError` or `UnreadableInput` when the file is not there, or is wrong.
    """
    from eksnetpol.gateways import settings_file

    base, file = settings_file.read(ctx.params.get("config"))
    said = {key: Said(Level.FILE, str(file)) for key in _set(base)}
    over: dict[str, Any] = {}
    tables: dict[str, dict[str, Any]] = {table: {} for table in _TABLES}
    if file:
        over |= {name: _beside(file, getattr(base, name)) for name in _PATHS if getattr(base, name)}
    for param in ctx.command.params:
        if not isinstance(param, Option) or param.key in _OF_THE_RUN or param.name is None:
            continue
        origin = _origin(ctx, param)
        if origin is None:
            continue
        value = ctx.params[param.name]
        field = _FIELDS.get(param.key, param.key.replace("-", "_"))
        if _table(param):
            tables[_table(param)][param.key] = value
        elif field in base.__struct_fields__:
            over[field] = _plain(value, param)
        else:
            # A question's own word, which no file could answer for every run.
            continue
        said[_key(param)] = origin
    return Config(base.merged(over | tables), said, file)


def _table(param: Option) -> str:
    return "target" if param.group == LIVE else param.table


def _origin(ctx: click.Context, param: Option) -> Said | None:
    match ctx.get_parameter_source(param.name or ""):
        case ParameterSource.COMMANDLINE:
            return Said(Level.FLAG, max(param.opts, key=len))
        case ParameterSource.ENVIRONMENT:
            return Said(Level.VARIABLE, str(param.envvar))
        case _:
            return None


def _key(param: Option) -> str:
    key = "outputs" if param.key == "output" else param.key
    return f"{_table(param)}.{key}" if _table(param) else key


def _plain(value: Any, param: Option) -> Any:
    if not isinstance(value, tuple):
        return value
    parts = (str(part) for part in value)
    if isinstance(param.type, CheckId):
        return tuple(name for part in parts for name in re.split(r"[,\s]+", part) if name)
    return tuple(parts)


def _beside(file: Path, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
    if isinstance(value, tuple):
        return tuple(part if part == "-" else str(file.parent / part) for part in value)
    return value if value == "-" else str(file.parent / value)


def _set(settings: Settings) -> list[str]:
    """Return the keys of *settings* that are not as the default has them."""
    import msgspec

    given = msgspec.to_builtins(settings)
    own = [key for key in given if key not in {*_TABLES, *_LISTS, "severity"}]
    inner = [f"{table}.{key}" for table in _TABLES for key in given.get(table, {})]
    return [*own, *inner, *(k for k in (*_LISTS, "severity") if given.get(k))]


def _rows(settings: Settings, said: Mapping[str, Said]) -> Any:
    """Yield table, line and origin of every setting, the top level first."""
    import msgspec

    later: list[tuple[str, str, str]] = []
    for field in msgspec.structs.fields(settings):
        key, value = field.encode_name, getattr(settings, field.name)
        if key in _TABLES:
            for inner in msgspec.structs.fields(value):
                part = getattr(value, inner.name)
                if part is not None:
                    origin = said.get(f"{key}.{inner.encode_name}", Said(Level.DEFAULT, "default")).words
                    later.append((f"[{key}]", f"{inner.encode_name} = {_toml(part)}", origin))
        elif key == "severity":
            origin = said.get(key, Said(Level.DEFAULT, "default")).words
            later += [("[severity]", f"{check} = {_toml(level)}", origin) for check, level in value.items()]
        elif key in _LISTS:
            continue
        elif value is not None:
            yield "", f"{key} = {_toml(value)}", said.get(key, Said(Level.DEFAULT, "default")).words
    yield from later
    listed: list[tuple[str, int, Any]] = [(_LISTS[0], n, w) for n, w in enumerate(settings.waivers, 1)]
    listed += [(_LISTS[1], n, w) for n, w in enumerate(settings.migration_waivers, 1)]
    for key, number, waiver in listed:
        at = f"[[{key}]]  # {number}, {said[key].words}"
        for name, value in msgspec.to_builtins(waiver, builtin_types=(date,)).items():
            yield at, f"{name} = {_toml(value)}", ""


def _toml(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case Enum():
            return _toml(value.value)
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case tuple() | list():
            return f"[{', '.join(_toml(part) for part in value)}]"
        case _:
            return str(value)
