"""``eksnetpol resume``."""

from __future__ import annotations

from typing import Any

import click

from eksnetpol.cli.change_options import ChangeCommand, going, state_dir, waiting
from eksnetpol.cli.config import configuration
from eksnetpol.cli.options import general, target


@click.command(
    "resume",
    cls=ChangeCommand,
    short_help="Go on with a run that was interrupted.",
    examples=(
        ("the run of this cluster that is unfinished", "eksnetpol resume --cluster shop --region eu-west-1"),
        ("a certain run; the beginning of its name will do", "eksnetpol resume 20261127-0307 --cluster shop"),
        ("a migration, through a one-way door", "eksnetpol resume 20261127-0307 --cluster shop --confirm uninstall"),
    ),
)
@click.argument("run", metavar="[RUN]", required=False)
@target
@waiting
@going
@state_dir
@configuration
@general
@click.pass_context
def command(ctx: click.Context, /, **_flags: Any) -> int:
    """Go on with a run that was killed, timed out or failed.

    What the run has done is in its journal; what is already true in the cluster is not done again. Without RUN the one unfinished
    run of this cluster is meant.
    """
    from eksnetpol.cli.ledger import resume

    return resume(ctx, ctx.params["run"])
