"""``eksnetpol schema``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from eksnetpol.cli.base import Command
from eksnetpol.cli.options import general
from eksnetpol.cli.outputs import Output, output_option, settle, write

NAMES = ("report", "status", "assessment", "translation", "proof", "rehearsal", "config")
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


@click.command(
    "schema",
    cls=Command,
    short_help="Print the JSON Schema of what this tool writes and reads.",
    examples=(
        ("of `preflight -o json`", "eksnetpol schema report"),
        ("of `status -o json`", "eksnetpol schema status"),
        ("of `migrate assess`, `translate` and `prove -o json`", "eksnetpol schema assessment"),
        ("of `migrate rehearse -o json`", "eksnetpol schema rehearsal"),
        ("of eksnetpol.toml, for an editor", "eksnetpol schema config -o json=eksnetpol.schema.json"),
    ),
)
@click.argument("name", default="report", type=click.Choice(NAMES))
@output_option("json", "yaml")
@general
def command(name: str, output: tuple[Output, ...], **_flags: Any) -> None:
    """Print the JSON Schema (2020-12) of a report (the default), a status, what `eksnetpol migrate` says, or eksnetpol.toml.

    Within version 1 members are only added: a reader ignores what it does not know.
    """
    import json

    outputs = settle(output, "json")
    made = _MAKERS[name]()
    for place in outputs:
        if place.format == "yaml":
            import yaml

            write(yaml.safe_dump(made, sort_keys=False, width=120), place.file)
        else:
            write(json.dumps(made, indent=2) + "\n", place.file)


def _report() -> dict[str, Any]:
    from eksnetpol.reporting.json_v1 import schema

    return schema()


def _status() -> dict[str, Any]:
    from eksnetpol.reporting.status_json import schema

    return schema()


def _of_migrating(kind: str) -> Callable[[], dict[str, Any]]:
    def make() -> dict[str, Any]:
        from eksnetpol.reporting.migration_json import schema

        return schema(kind)

    return make


def _rehearsal() -> dict[str, Any]:
    from eksnetpol.reporting.rehearsals import schema

    return schema()


def _config() -> dict[str, Any]:
    import msgspec

    from eksnetpol.model.settings import Settings

    made = msgspec.json.schema(Settings)
    return {"$schema": _DIALECT, "$id": "urn:eksnetpol:config:v1", "title": "eksnetpol.toml", **made}


_MAKERS: dict[str, Callable[[], dict[str, Any]]] = {
    "report": _report,
    "status": _status,
    "assessment": _of_migrating("MigrationAssessment"),
    "translation": _of_migrating("Translation"),
    "proof": _of_migrating("TranslationProof"),
    "rehearsal": _rehearsal,
    "config": _config,
}
