"""``eksnetpol restore``."""

from __future__ import annotations

from typing import Any

import click

from eksnetpol.cli.change_options import FAR, ChangeCommand, confirming, state_dir, waiting
from eksnetpol.cli.config import configuration
from eksnetpol.cli.options import general, option, target
from eksnetpol.cli.outputs import output_option


@click.command(
    "restore",
    cls=ChangeCommand,
    short_help="Put back the policies that a run backed up.",
    examples=(("what `disable` took away", "eksnetpol restore 20261127-0307 --cluster shop --region eu-west-1"),),
)
@click.argument("run", metavar="RUN")
@target
@option("--plan", "plan_only", group=FAR, is_flag=True, help="Show the plan and stop.")
@confirming
@waiting
@output_option("text", "json", "yaml", "markdown")
@state_dir
@configuration
@general
@click.pass_context
def command(ctx: click.Context, /, **_flags: Any) -> int:
    """Put back the policies that a run backed up: those that are not there. What is there stays as it is."""
    from eksnetpol.cli.ledger import restore

    return restore(ctx, ctx.params["run"])
