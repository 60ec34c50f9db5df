"""``eksnetpol rollback``."""

from __future__ import annotations

from typing import Any

import click

from eksnetpol.cli.change_options import FAR, ChangeCommand, confirming, state_dir, waiting
from eksnetpol.cli.config import configuration
from eksnetpol.cli.options import general, option, target
from eksnetpol.cli.outputs import output_option


@click.command(
    "rollback",
    cls=ChangeCommand,
    short_help="Take back what a run did.",
    examples=(
        ("see what it would do", "eksnetpol rollback 20261127-0307 --cluster shop --plan"),
        ("go back on the newest run of this cluster", "eksnetpol rollback --cluster shop --region eu-west-1"),
    ),
)
@click.argument("run", metavar="[RUN]", required=False)
@target
@option(
    "--partial",
    group="Guards",
    is_flag=True,
    help="Go back on what can be taken back, although some of it cannot.",
)
@option("--plan", "plan_only", group=FAR, is_flag=True, help="Show the plan and stop.")
@confirming
@waiting
@output_option("text", "json", "yaml", "markdown")
@state_dir
@configuration
@general
@click.pass_context
def command(ctx: click.Context, /, **_flags: Any) -> int:
    """Take back what a run did, step by step, the last first.

    The way back was decided while the old state was in view, and is a run of its own: it can be resumed, and gone back on. What
    cannot be taken back is named. Without RUN the newest run of this cluster is meant.
    """
    from eksnetpol.cli.ledger import roll_back

    return roll_back(ctx, ctx.params["run"])
