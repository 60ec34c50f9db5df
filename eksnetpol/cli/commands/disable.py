"""``eksnetpol disable``."""

from __future__ import annotations

from typing import Any

import click

from eksnetpol.cli.change_options import ChangeCommand, endings, ignoring, reach, resolve_conflicts, take_over, unknowns
from eksnetpol.cli.options import option, sources, target


@click.command(
    "disable",
    cls=ChangeCommand,
    greedy=("--manifests",),
    short_help="Turn network policy off in the order that leaves nothing behind.",
    examples=(
        ("see the plan", "eksnetpol disable --cluster shop --region eu-west-1 --plan"),
        ("carry it out; policies are backed up first", "eksnetpol disable --cluster shop --region eu-west-1"),
        ("leave the policies to another engine", "eksnetpol disable --cluster shop --keep-policies"),
    ),
)
@sources
@target
@option(
    "--keep-policies",
    group="The change",
    is_flag=True,
    help="Leave the policies, for another engine, and free them of the controller's finalizers.",
)
@resolve_conflicts
@take_over
@ignoring
@unknowns
@reach
@endings
@click.pass_context
def command(ctx: click.Context, /, **_flags: Any) -> int:
    """Turn network policy off: policies backed up and deleted while the controller still works, then both switches.

    A controller that is switched off first leaves finalizers that nobody takes away, so that policies and namespaces hang in
    Terminating; agents that are switched off with PolicyEndpoints around leave rules in the kernel, and old ones crash. The nodes
    to recycle are named. `restore` puts the policies back.
    """
    from eksnetpol.cli.change import change
    from eksnetpol.planning.options import DisableOptions

    resolve = ctx.params["resolve_conflicts"]
    wanted = DisableOptions(keep_policies=ctx.params["keep_policies"], resolve=resolve.upper() if resolve else None)
    return change(ctx, wanted)
