"""``eksnetpol apply``."""

from __future__ import annotations

from typing import Any

import click

from eksnetpol.cli.change_options import ChangeCommand, confirming, state_dir, take_over, waiting
from eksnetpol.cli.config import configuration
from eksnetpol.cli.options import general, target
from eksnetpol.cli.outputs import output_option


@click.command(
    "apply",
    cls=ChangeCommand,
    short_help="Carry out a saved plan, unless the cluster has moved on.",
    examples=(
        ("what `eksnetpol enable --plan --out plan.json` saved", "eksnetpol apply plan.json --cluster shop --region eu-west-1"),
        ("as a pipeline does after review", "eksnetpol apply plan.json --cluster shop --yes"),
    ),
)
@click.argument("plan_file", metavar="PLAN")
@target
@take_over
@confirming
@waiting
@output_option("text", "json", "yaml", "markdown")
@state_dir
@configuration
@general
@click.pass_context
def command(ctx: click.Context, /, **_flags: Any) -> int:
    """Carry out a plan that `--out` saved.

    It is refused (exit code 6) where the cluster is another one, or where anything it was made from has changed since: then a
    new plan is wanted. A file that was edited by hand is no plan (exit code 2).
    """
    from eksnetpol.cli.ledger import apply_plan

    return apply_plan(ctx, ctx.params["plan_file"])
