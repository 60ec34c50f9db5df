"""``eksnetpol version``."""

from __future__ import annotations

from typing import Any

import click

from eksnetpol import __version__
from eksnetpol.cli.base import Command
from eksnetpol.cli.options import general
from eksnetpol.cli.outputs import Output, output_option, settle, write
from eksnetpol.cli.terminal import Terminal

_PARTS = ("boto3", "botocore", "kubernetes", "click", "msgspec", "rich", "jinja2", "jsonschema", "pyyaml", "tenacity")


@click.command(
    "version",
    cls=Command,
    short_help="Print the version.",
    examples=(
        ("the version alone, as --version prints it", "eksnetpol version"),
        ("with Python and every package it stands on, for a bug report", "eksnetpol version -v"),
        ("for a program", "eksnetpol version -o json"),
    ),
)
@output_option("text", "json")
@general
def command(output: tuple[Output, ...], **flags: Any) -> None:
    """Print the version of eksnetpol; with -v also those of Python and of the packages it stands on.

    Nothing is looked up on the network, here or in any other command.
    """
    terminal = Terminal.of(flags)
    for wanted in settle(output):
        write(_json() if wanted.format == "json" else _text(terminal.verbose > 0), wanted.file)


def _text(verbose: bool) -> str:
    lines = [f"eksnetpol {__version__}"]
    if verbose:
        lines += [f"{name} {number}" for name, number in _packages().items()]
    return "\n".join(lines) + "\n"


def _json() -> str:
    import json

    return json.dumps({"name": "eksnetpol", "version": __version__, "packages": _packages()}, indent=2) + "\n"


def _packages() -> dict[str, str]:
    import platform
    from importlib.metadata import version

    return {"python": platform.python_version()} | {name: version(name) for name in _PARTS}
