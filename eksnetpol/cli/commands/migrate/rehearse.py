"""``eksnetpol migrate rehearse``."""

from __future__ import annotations

from typing import Any

import click

from eksnetpol.cli.base import Command
from eksnetpol.cli.commands.migrate.common import allowing, leaving, taking_on
from eksnetpol.cli.commands.migrate.moving_options import moving, wish_of
from eksnetpol.cli.config import configuration, merge
from eksnetpol.cli.options import general, sources, target
from eksnetpol.cli.outputs import STDOUT, output_option, settle, write


@click.command(
    "rehearse",
    cls=Command,
    greedy=("--manifests",),
    short_help="Carry it all out on a copy of the cluster in memory, and see who enforces what.",
    exits=(0, 1, 2, 3, 6, 70, 130),
    exit_words={
        0: "it goes well, and nothing stands in the way of running it",
        1: "something that must hold does not, it stops on the way, or something stands in the way of running it",
        6: "refused: two engines at once, a waiver that has expired, nothing to rehearse",
    },
    examples=(
        ("a live cluster, as it is now", "eksnetpol migrate rehearse --cluster shop --cleaner-image cleaner:1"),
        ("a snapshot, as a page to look at", "eksnetpol migrate rehearse --snapshot shop.json.gz -o html=page.html"),
        ("ten nodes at a time, every step", "eksnetpol migrate rehearse --context shop --batch 10 -v"),
    ),
    environment=(("AWS_*, KUBECONFIG", "as the AWS CLI and kubectl read them"),),
)
@sources
@target
@leaving
@moving
@allowing
@taking_on
@output_option("text", "json", "yaml", "markdown", "html")
@configuration
@general
@click.pass_context
def command(ctx: click.Context, /, **_flags: Any) -> int:
    """Carry a migration out on a copy of the cluster in memory: nothing touches the real one.

    The plan is that of `eksnetpol migrate run` with the same options. After every call and every turn of the copy's time it is
    asked who enforces on which node and what may flow, and whether all holds that must hold (I1 to I8): that there is never a
    moment in which nothing enforces, or in which something flows that did not before. Printed are the timeline, what is exposed
    or cut off in each step, what people may notice, the one-way doors and the way back. -v shows every step.
    """
    config = merge(ctx)
    terminal = config.terminal()
    if ctx.params["show_config"]:
        write(config.text())
        return 0
    outputs = settle(ctx.params["output"])
    wish = wish_of(ctx, config)

    from eksnetpol.cli.look import look, source
    from eksnetpol.cli.progress import busy
    from eksnetpol.errors import UsageError
    from eksnetpol.reporting import rehearsals

    if source(config) == "--manifests":
        raise UsageError("files of manifests are no cluster that could be rehearsed on; give --cluster, --context or --snapshot")
    snapshot = look(config, terminal, ctx.command_path)
    with busy(terminal, "rehearsing in memory"):
        done = wish.rehearse(wish.prepare(snapshot))
    for output in sorted(outputs, key=lambda o: o.file == STDOUT):
        color = terminal.colored if output.file == STDOUT else terminal.color == "always"
        page = rehearsals.render(done, output.format, terminal.width, color=color, verbose=terminal.verbose > 0)
        write(page, output.file)
    return done.exit_code
