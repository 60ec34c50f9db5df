"""``eksnetpol migrate cleanup``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from eksnetpol.cli.change_options import ChangeCommand, endings, going, reach
from eksnetpol.cli.commands.migrate.moving_options import left_overs
from eksnetpol.cli.options import sources, target
from eksnetpol.errors import UsageError

if TYPE_CHECKING:
    from eksnetpol.cli.change import Planned
    from eksnetpol.gateways.session import Connection
    from eksnetpol.model.snapshot import ClusterSnapshot


@click.command(
    "cleanup",
    cls=ChangeCommand,
    greedy=("--manifests",),
    short_help="Take away what an engine that is gone has left in the cluster.",
    examples=(
        ("see what would go", "eksnetpol migrate cleanup --cluster shop --left-overs admission --plan"),
        ("through the one-way door, too", "eksnetpol migrate cleanup --left-overs admission --confirm left-overs"),
    ),
)
@sources
@target
@left_overs
@going
@reach
@endings
@click.pass_context
def command(ctx: click.Context, /, **_flags: Any) -> int:
    """Take left-over objects of an engine that was uninstalled away, by exact name and class by class, after a copy was kept.

    Nothing goes that was not asked for with --left-overs, and nothing at all while the engine is still there. Definitions of
    networking.k8s.aws and policy.networking.k8s.io, which others use too, and NetworkPolicies always stay.
    """
    from eksnetpol.cli.change import Flags, Planned, carried
    from eksnetpol.cli.config import merge
    from eksnetpol.cli.outputs import write
    from eksnetpol.migration.planning.options import LeftOver, MigrateOptions

    config = merge(ctx)
    terminal = config.terminal()
    if ctx.params["show_config"]:
        write(config.text())
        return 0
    if not ctx.params["left_overs"]:
        classes = ", ".join(LeftOver)
        raise UsageError(f"nothing was asked to go; name classes with --left-overs: {classes}")
    options = MigrateOptions(left_overs=tuple(map(LeftOver, ctx.params["left_overs"])))

    def planned(_: Connection | None, snapshot: ClusterSnapshot) -> Planned:
        from eksnetpol.operations.moving import prepare_cleanup

        return Planned(prepare_cleanup(snapshot, options))

    return carried(Flags(ctx.params), config, terminal, planned)
