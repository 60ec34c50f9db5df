"""``eksnetpol migrate status``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from eksnetpol.cli.base import Command
from eksnetpol.cli.change_options import state_dir
from eksnetpol.cli.config import configuration, merge
from eksnetpol.cli.options import general, sources, target
from eksnetpol.cli.outputs import STDOUT, output_option, settle, write
from eksnetpol.errors import UsageError

if TYPE_CHECKING:
    from eksnetpol.migration.present import Present
    from eksnetpol.model.snapshot import Target
    from eksnetpol.reporting.move_status import MoveStatus


@click.command(
    "status",
    cls=Command,
    greedy=("--manifests",),
    short_help="Say where a migration stands: its phases, and whose agent runs on each node.",
    exits=(0, 1, 2, 3, 70, 130),
    exit_words={
        0: "told, whatever it is",
        1: "a node has pods, and nobody's agent",
        3: "it could not be told: a missing permission, an unreachable API, a partial look",
    },
    examples=(
        ("a live cluster", "eksnetpol migrate status --cluster shop --region eu-west-1"),
        ("for a script", "eksnetpol migrate status --context shop -o json | jq -r .next[]"),
    ),
    environment=(("AWS_*, KUBECONFIG", "as the AWS CLI and kubectl read them"),),
)
@sources
@target
@state_dir
@output_option("text", "json", "yaml")
@configuration
@general
@click.pass_context
def command(ctx: click.Context, /, **_flags: Any) -> int:
    """Say where a migration stands, at any time and from anywhere: nothing is changed.

    The cluster itself tells whose agent runs on each node, which nodes are cordoned, labelled and being left. Where the run is
    kept on this machine, its phases, the one-way door it waits before, and the next commands are shown, too.
    """
    from eksnetpol.cli.look import look, source

    config = merge(ctx)
    terminal = config.terminal()
    if ctx.params["show_config"]:
        write(config.text())
        return 0
    outputs = settle(ctx.params["output"])
    if source(config) == "--manifests":
        raise UsageError("files of manifests are no cluster that is moved; give --cluster, --context or --snapshot")

    from eksnetpol.facts.declare import Lookup, catalog
    from eksnetpol.migration.present import present
    from eksnetpol.reporting import move_status

    catalog()
    snapshot = look(config, terminal, ctx.command_path)
    status = _status(ctx.params["state_dir"], present(Lookup(snapshot)), snapshot.target)
    for output in sorted(outputs, key=lambda o: o.file == STDOUT):
        write(move_status.render(status, output.format, terminal.width), output.file)
    return int(bool(status.present.open))


def _status(state: str | None, found: Present, target: Target) -> MoveStatus:
    """Return *found* with the newest migration of this cluster whose run is kept here."""
    from eksnetpol.execution.progress import past_of
    from eksnetpol.gateways.run_state import same_cluster
    from eksnetpol.gateways.runs import Runs
    from eksnetpol.model.plan import Verb
    from eksnetpol.reporting.move_status import MoveStatus, phases_of

    runs = Runs.at(state)
    newest = next((r for r in runs.all() if r.verb is Verb.MIGRATE and same_cluster(r.target, target)), None)
    if newest is None:
        return MoveStatus(target, found)
    folder = runs.find(newest.id)
    plan, entries = folder.plan(), folder.entries()
    past = past_of(entries)
    done = frozenset(step.id for step in plan.steps if past.of(step.id).done)
    ahead = next((step for step in plan.steps if step.id not in done), None)
    door = ahead.door if ahead is not None and ahead.door not in past.approved else ""
    last = entries[-1] if entries else None
    why = last.detail if last is not None and last.event in {"stopped", "failed"} and not door else ""
    at = f"{last.step}, {last.at:%Y-%m-%d %H:%M}Z: " if last is not None and last.step else ""
    stopped = f"{at}{why}" if why and newest.state != "running" else ""
    return MoveStatus(target, found, newest, phases_of(plan, done), door, stopped)
