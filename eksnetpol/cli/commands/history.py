"""``eksnetpol history``."""

from __future__ import annotations

from typing import Any

import click

from eksnetpol.cli.base import Command
from eksnetpol.cli.change_options import state_dir
from eksnetpol.cli.config import configuration
from eksnetpol.cli.options import general, option
from eksnetpol.cli.outputs import output_option


@click.command(
    "history",
    cls=Command,
    short_help="List the runs that changed clusters from here.",
    exits=(0, 2, 70),
    examples=(
        ("the newest first", "eksnetpol history"),
        ("of one cluster, for a script", "eksnetpol history --of shop -o json | jq -r '.runs[].id'"),
    ),
)
@option("--of", "of", group="Choice", metavar="CLUSTER", help="Only runs of this cluster.")
@output_option("text", "json", "yaml")
@state_dir
@configuration
@general
@click.pass_context
def command(ctx: click.Context, /, **_flags: Any) -> int:
    """List the runs that changed clusters from this machine: when, what, which cluster, and how they ended."""
    from eksnetpol.cli.ledger import history

    return history(ctx, ctx.params["of"])
