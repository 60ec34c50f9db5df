"""``eksnetpol show``."""

from __future__ import annotations

from typing import Any

import click

from eksnetpol.cli.base import Command
from eksnetpol.cli.change_options import state_dir
from eksnetpol.cli.config import configuration
from eksnetpol.cli.options import general
from eksnetpol.cli.outputs import output_option


@click.command(
    "show",
    cls=Command,
    short_help="Show one run: its plan, and every line of its journal.",
    exits=(0, 2, 70),
    examples=(
        ("the beginning of its name will do", "eksnetpol show 20261127-0307"),
        ("for the change ticket", "eksnetpol show 20261127-0307 -o markdown=run.md"),
    ),
)
@click.argument("run", metavar="RUN")
@output_option("text", "json", "yaml", "markdown")
@state_dir
@configuration
@general
@click.pass_context
def command(ctx: click.Context, /, **_flags: Any) -> int:
    """Show one run: who did what to which cluster when, the plan, and every line of the journal."""
    from eksnetpol.cli.ledger import show_run

    return show_run(ctx, ctx.params["run"])
