"""``eksnetpol migrate runbook``."""

from __future__ import annotations

from typing import Any

import click

from eksnetpol.cli.base import Command
from eksnetpol.cli.commands.migrate.common import allowing, leaving, taking_on
from eksnetpol.cli.commands.migrate.moving_options import moving, wish_of
from eksnetpol.cli.config import configuration, merge
from eksnetpol.cli.options import general, sources, target
from eksnetpol.cli.outputs import output_option, settle, write


@click.command(
    "runbook",
    cls=Command,
    greedy=("--manifests",),
    short_help="Write it down for the change ticket, with the commands to do it by hand.",
    exits=(0, 1, 2, 3, 6, 70, 130),
    exit_words={
        0: "written, and nothing stands in the way",
        1: "written, with what stands in the way",
        6: "refused: two engines at once, a waiver that has expired, nothing to be left",
    },
    examples=(
        ("for the change ticket", "eksnetpol migrate runbook --context shop -o markdown=change.md"),
        ("every node written out", "eksnetpol migrate runbook --snapshot shop.json.gz -v"),
    ),
    environment=(("AWS_*, KUBECONFIG", "as the AWS CLI and kubectl read them"),),
)
@sources
@target
@leaving
@moving
@allowing
@taking_on
@output_option("markdown")
@configuration
@general
@click.pass_context
def command(ctx: click.Context, /, **_flags: Any) -> int:
    """Write a runbook of exactly this cluster's migration: phase by phase what to type, when to go on, and the way back.

    The plan is that of `eksnetpol migrate run` with the same options, which does all of it and can be resumed. Nothing is changed
    here. It is rehearsed in memory first: how long each phase takes and what is exposed meanwhile stands in it, with what
    becomes stricter, what was taken on until when, whom to pause, and when to stop. Nodes leave the old engine alike: one of each
    batch is written out, all of them with -v.
    """
    config = merge(ctx)
    terminal = config.terminal()
    if ctx.params["show_config"]:
        write(config.text())
        return 0
    outputs = settle(ctx.params["output"], "markdown")
    wish = wish_of(ctx, config)

    from eksnetpol.cli.look import look, source
    from eksnetpol.cli.progress import busy
    from eksnetpol.errors import Refused, UsageError
    from eksnetpol.operations.lifecycle import standing
    from eksnetpol.reporting import runbook

    if source(config) == "--manifests":
        raise UsageError("files of manifests are no cluster that could be moved; give --cluster, --context or --snapshot")
    snapshot = look(config, terminal, ctx.command_path)
    move = wish.prepare(snapshot)
    if move.source is None or not move.plan.steps:
        why = "; ".join((*(refusal.why for refusal in move.plan.refusals), *move.plan.facts))
        raise Refused(f"there is nothing to write a runbook of: {why}")
    with busy(terminal, "rehearsing in memory"):
        done = wish.rehearse(move)
    beside = runbook.Beside(move.translation, done, move.accepted, move.owners)
    for output in outputs:
        write(runbook.write(move.plan, move.lifted, everything=terminal.verbose > 0, beside=beside), output.file)
    return int(bool(standing(move.plan, move.lifted)))
