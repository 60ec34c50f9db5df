"""``eksnetpol migrate run``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from eksnetpol.cli.change_options import ChangeCommand, endings, going, ignoring, reach, take_over, unknowns
from eksnetpol.cli.commands.migrate.common import allowing, leaving, taking_on
from eksnetpol.cli.commands.migrate.moving_options import moving, wish_of
from eksnetpol.cli.options import sources, target

if TYPE_CHECKING:
    from eksnetpol.cli.change import Planned
    from eksnetpol.cli.terminal import Terminal
    from eksnetpol.gateways.session import Connection
    from eksnetpol.migration.timeline import Rehearsal
    from eksnetpol.model.snapshot import ClusterSnapshot


@click.command(
    "run",
    cls=ChangeCommand,
    greedy=("--manifests",),
    short_help="Lead the cluster off the other engine, phase by phase, with a way back.",
    examples=(
        ("see the plan", "eksnetpol migrate run --cluster shop --region eu-west-1 --plan"),
        ("carry it out up to the first one-way door", "eksnetpol migrate run --cluster shop --cleaner-image cleaner:1"),
        ("only until both engines enforce", "eksnetpol migrate run --cluster shop --cleaner-image cleaner:1 --until 5b"),
        ("through the one-way door too", "eksnetpol migrate run --cluster shop --confirm uninstall"),
        ("ten nodes at a time, a minute's rest in between", "eksnetpol migrate run --cluster shop --batch 10 --soak 1m"),
    ),
)
@sources
@target
@leaving
@moving
@allowing
@taking_on
@take_over
@ignoring
@unknowns
@going
@reach
@endings
@click.pass_context
def command(ctx: click.Context, /, **_flags: Any) -> int:
    """Lead the cluster off another policy engine with never a moment in which nothing enforces.

    The old engine's policies are translated and applied beside it, the VPC CNI is brought to enforce, nodes leave the old engine
    in batches after a canary, and only then it is uninstalled, behind the one-way door `uninstall`. Every phase begins with a
    gate: policies unchanged, nothing stumbling, enforcement proven on the very nodes. Everything is written down first, so that
    `resume` and `rollback` can take over at any moment. `eksnetpol migrate rehearse` shows all of it in memory before.
    """
    from eksnetpol.cli.change import Flags, Planned, carried
    from eksnetpol.cli.config import merge
    from eksnetpol.cli.outputs import write

    config = merge(ctx)
    terminal = config.terminal()
    if ctx.params["show_config"]:
        write(config.text())
        return 0
    wish = wish_of(ctx, config)

    def planned(_: Connection | None, snapshot: ClusterSnapshot) -> Planned:
        move = wish.prepare(snapshot)
        return Planned(move.plan, move.lifted, lambda: _simulated(wish.rehearse(move), terminal))

    return carried(Flags(ctx.params), config, terminal, planned)


def _simulated(done: Rehearsal, terminal: Terminal) -> int:
    """Say how the rehearsal went, and return what `migrate rehearse` would end with."""
    from eksnetpol.reporting import rehearsals

    for line in rehearsals.render(done, "text", terminal.width, color=False).splitlines():
        terminal.say(line)
    return done.exit_code
