"""``eksnetpol enable``."""

from __future__ import annotations

from typing import Any

import click

from eksnetpol.cli.change_options import (
    ChangeCommand,
    SettingType,
    endings,
    ignoring,
    reach,
    resolve_conflicts,
    take_over,
    unknowns,
)
from eksnetpol.cli.options import option, sources, target


@click.command(
    "enable",
    cls=ChangeCommand,
    greedy=("--manifests",),
    short_help="Turn network policy on, with a plan and a way back.",
    examples=(
        ("see the plan", "eksnetpol enable --cluster shop --region eu-west-1 --plan"),
        ("carry it out", "eksnetpol enable --cluster shop --region eu-west-1"),
        ("in a pipeline: plan, review, apply", "eksnetpol enable --cluster shop --plan --out plan.json --detailed-exitcode"),
        ("rehearse it on a copy of the cluster in memory", "eksnetpol enable --snapshot shop.json.gz --simulate"),
        ("let EKS manage a VPC CNI that nobody manages", "eksnetpol enable --cluster shop --adopt"),
        ("with quieter agents", "eksnetpol enable --cluster shop --set nodeAgent.logLevel=info"),
    ),
)
@sources
@target
@option("--adopt", group="The change", is_flag=True, help="Make a VPC CNI that EKS does not manage a managed add-on.")
@option(
    "--set",
    "values",
    group="The change",
    multiple=True,
    type=SettingType(),
    help="A further setting of the add-on or chart, e.g. nodeAgent.logLevel=info; may be repeated.",
)
@resolve_conflicts
@take_over
@ignoring
@unknowns
@reach
@endings
@click.pass_context
def command(ctx: click.Context, /, **_flags: Any) -> int:
    """Turn network policy on: the controller's switch and the agents', by the way this cluster's VPC CNI is installed.

    What is there is found out (managed add-on, Helm release, manifest, Auto Mode) and never mixed. The plan says field by field
    what is written where and who owns it today, which pods policies will isolate, which nodes roll, and how to go back. Nothing
    is changed before it was shown and confirmed; every step is written down first, so that `resume` and `rollback` can take
    over at any moment.
    """
    from eksnetpol.cli.change import change
    from eksnetpol.planning.options import EnableOptions

    resolve = ctx.params["resolve_conflicts"]
    wanted = EnableOptions(
        adopt=ctx.params["adopt"],
        resolve=resolve.upper() if resolve else None,
        values=dict(ctx.params["values"]),
    )
    return change(ctx, wanted)
