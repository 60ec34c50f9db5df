"""``eksnetpol upgrade``."""

from __future__ import annotations

from typing import Any

import click

from eksnetpol.cli.change_options import ChangeCommand, endings, ignoring, reach, resolve_conflicts, take_over, unknowns
from eksnetpol.cli.options import option, sources, target


@click.command(
    "upgrade",
    cls=ChangeCommand,
    greedy=("--manifests",),
    short_help="Upgrade the VPC CNI, one minor version at a time.",
    examples=(
        ("to what is recommended for this cluster", "eksnetpol upgrade --cluster shop --region eu-west-1"),
        ("to the best patch of a minor version", "eksnetpol upgrade --cluster shop --to 1.20 --plan"),
        ("rehearse the way to the newest", "eksnetpol upgrade --snapshot shop.json.gz --to latest --simulate"),
    ),
)
@sources
@target
@option(
    "--to",
    group="The change",
    metavar="VERSION",
    default="recommended",
    help="A version (v1.20.5-eksbuild.1, 1.20.5, 1.20), latest or recommended.  [default: recommended]",
)
@resolve_conflicts
@take_over
@ignoring
@unknowns
@reach
@endings
@click.pass_context
def command(ctx: click.Context, /, **_flags: Any) -> int:
    """Upgrade the VPC CNI to a version that EKS offers for this cluster, one minor version at a time.

    Each minor version is taken at its best patch, releases known to do harm are passed over, CNI and agent stay the pair they
    have to be, and settings stay as they are. Where Helm or GitOps would prune the definitions that newer charts no longer
    carry, they are kept first. A look at the cluster is saved before and after.
    """
    from eksnetpol.cli.change import change
    from eksnetpol.planning.options import UpgradeOptions

    resolve = ctx.params["resolve_conflicts"]
    return change(ctx, UpgradeOptions(to=ctx.params["to"], resolve=resolve.upper() if resolve else None))
