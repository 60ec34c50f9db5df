"""Where documents go: ``-o FORMAT[=FILE]``, at most one to stdout, files whole or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from eksnetpol.cli.options import option
from eksnetpol.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])

STDOUT = "-"


@dataclass(frozen=True, slots=True)
class Output:
    """A document that is wanted: its format, and the file it goes to (``-`` is stdout)."""

    format: str
    file: str = STDOUT

    def __str__(self) -> str:
        return self.format if self.file == STDOUT else f"{self.format}={self.file}"


class OutputType(click.ParamType[Output]):
    """``FORMAT`` or ``FORMAT=FILE``, the format one of *formats*."""

    name = "FORMAT[=FILE]"

    def __init__(self, formats: Sequence[str]) -> None:
        self.formats = tuple(formats)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:  # noqa: ARG002 - click's signature
        """Return what stands behind the option in --help."""
        return self.name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Output:
        """Return the output that *value* asks for."""
        if isinstance(value, Output):
            return value
        name, equals, file = str(value).partition("=")
        if name not in self.formats:
            import difflib

            close = difflib.get_close_matches(name.lower(), self.formats, n=1)
            hint = f"did you mean {close[0]}? " if close else ""
            self.fail(f"there is no format {name!r}; {hint}there are {', '.join(self.formats)}", param, ctx)
        if equals and not file:
            self.fail(f"{value!r} names no file after the equals sign", param, ctx)
        return Output(name, file or STDOUT)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002
        """Return the formats that begin with *incomplete*, or say that a file is wanted."""
        name, equals, file = incomplete.partition("=")
        if equals:
            return [CompletionItem(file, type="file", prefix=f"{name}=")]
        return [CompletionItem(f) for f in self.formats if f.startswith(incomplete)]


def output_option(*formats: str) -> Callable[[F], F]:
    """Return the option ``-o`` for *formats*; the first is the default, on stdout."""
    words = f"{', '.join((f'{formats[0]} (the default)', *formats[1:]))}. To stdout or to FILE; may be repeated."
    return option("-o", "--output", group="Output", multiple=True, type=OutputType(formats), help=words)


def settle(outputs: Iterable[Output], default: str = "text") -> tuple[Output, ...]:
    """Return *outputs*, or the *default* on stdout where there are none.

    Raises `UsageError` when two go to the same place, or where a file cannot be written: before any work is done.
    """
    wanted = tuple(outputs) or (Output(default),)
    seen: dict[str, Output] = {}
    for output in wanted:
        place = STDOUT if output.file == STDOUT else os.path.realpath(output.file)
        if place in seen:
            where = "stdout" if place == STDOUT else output.file
            raise UsageError(
                f"-o {seen[place].format} and -o {output.format} both go to {where}; "
                f"give one of them a file of its own, e.g. -o {output.format}=report.{output.format}"
            )
        seen[place] = output
        if place != STDOUT:
            _check(output.file)
    return wanted


def _check(file: str) -> None:
    path = Path(file)
    if path.is_dir():
        raise UsageError(f"{file}: is a directory; -o wants FORMAT=FILE")
    if not path.parent.is_dir():
        raise UsageError(f"{file}: there is no directory {str(path.parent)!r}; make it first")


def write(text: str, file: str = STDOUT) -> None:
    """Write *text* to *file*, or to stdout. A file is replaced only once all of it is on the disk.

    Raises `UsageError` when it cannot be written, and `BrokenPipeError` when the reader of stdout went away.
    """
    stream((text,), file)


def stream(parts: Iterable[str], file: str = STDOUT) -> None:
    """Write *parts* one after the other, as `write` does, without ever holding all of them."""
    try:
        if file == STDOUT:
            _to_stdout(parts)
        else:
            _to_file((part.encode("utf-8", "backslashreplace") for part in parts), Path(file))
    except BrokenPipeError:
        raise
    except OSError as error:
        place = "stdout" if file == STDOUT else file
        raise UsageError(f"{place}: cannot be written: {error.strerror or error}") from error


def _to_stdout(parts: Iterable[str]) -> None:
    if sys.stdout is None:
        raise OSError(None, "it is closed")
    for part in parts:
        sys.stdout.write(part)
    sys.stdout.flush()


def _to_file(parts: Iterable[bytes], path: Path) -> None:
    path = path.resolve()
    mode = path.stat().st_mode if path.exists() else None
    if mode is not None and not stat.S_ISREG(mode):
        # A pipe or a device has no name to take over.
        with path.open("wb") as pipe:
            pipe.writelines(parts)
        return
    if mode is not None and not os.access(path, os.W_OK):
        raise PermissionError(None, "permission denied")
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(stat.S_IMODE(mode) if mode is not None else 0o666 & ~_umask())
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
        raise


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
