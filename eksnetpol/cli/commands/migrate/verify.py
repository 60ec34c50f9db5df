"""``eksnetpol migrate verify``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from eksnetpol.cli.base import Command
from eksnetpol.cli.change_options import state_dir
from eksnetpol.cli.commands.migrate.common import all_taken_on, taking_on
from eksnetpol.cli.config import configuration, merge
from eksnetpol.cli.options import general, option, sources, target
from eksnetpol.cli.outputs import STDOUT, output_option, settle, write
from eksnetpol.errors import UsageError

if TYPE_CHECKING:
    from eksnetpol.model.snapshot import Target
    from eksnetpol.operations.verifying import Before

FORMATS = ("text", "json", "yaml", "markdown", "junit", "sarif", "github", "html")


@click.command(
    "verify",
    cls=Command,
    greedy=("--manifests",),
    short_help="Say whether the old engine is gone, the VPC CNI enforces, and all flows as before.",
    exits=(0, 1, 2, 3, 70, 130),
    exit_words={
        0: "the old engine is gone, the VPC CNI enforces, and nothing flows that did not flow before",
        1: "something that must hold does not",
    },
    examples=(
        ("against what the run kept from before it", "eksnetpol migrate verify --cluster shop --run 20261127-0307"),
        ("two snapshots", "eksnetpol migrate verify --snapshot after.json.gz --before before.json.gz"),
        ("for the change ticket", "eksnetpol migrate verify --cluster shop --run 20261127-0307 -o markdown"),
    ),
    environment=(("AWS_*, KUBECONFIG", "as the AWS CLI and kubectl read them"),),
)
@sources
@target
@option("--run", "run_id", group="Question", metavar="RUN", help="The migration's run; the beginning of its name will do.")
@option("--before", group="Question", metavar="FILE", help="A snapshot from before the migration, in place of the run's own.")
@taking_on
@state_dir
@output_option(*FORMATS)
@configuration
@general
@click.pass_context
def command(ctx: click.Context, /, **_flags: Any) -> int:
    """Say whether a migration is done: the old engine is gone, the VPC CNI enforces everywhere, and all flows as before.

    What pods have now under the VPC CNI is held to what the same pods would have had under the engine of then, with the policies
    of then. Left-over objects, stale APIServices and webhooks, namespaces that hang, and nodes whose kernels may still hold the
    old rules are named. What could not be read is unknown, never well.
    """
    from eksnetpol.cli.look import look, source

    config = merge(ctx)
    terminal = config.terminal()
    if ctx.params["show_config"]:
        write(config.text())
        return 0
    outputs = settle(ctx.params["output"])
    if ctx.params["run_id"] and ctx.params["before"]:
        raise UsageError("--run and --before both say what was before; give one of them")
    if source(config) == "--manifests":
        raise UsageError("files of manifests are no cluster that could be verified; give --cluster, --context or --snapshot")
    taken, _ = all_taken_on(ctx, config)

    from eksnetpol.cli.policy_look import profile_of
    from eksnetpol.operations.verifying import verify
    from eksnetpol.policy.world import World
    from eksnetpol.reporting import formats

    snapshot = look(config, terminal, ctx.command_path)
    before = _before(ctx.params, snapshot.target)
    profile, _notes = profile_of(snapshot, World.of(snapshot), config.settings.policy)
    report = verify(snapshot, before, config.settings, profile=profile, taken=taken)
    for output in sorted(outputs, key=lambda o: o.file == STDOUT):
        color = terminal.colored if output.file == STDOUT else terminal.color == "always"
        verbose = terminal.verbose > 0
        write(formats.render(report, output.format, width=terminal.width, color=color, verbose=verbose), output.file)
    return report.exit_code


def _before(params: dict[str, Any], target: Target) -> Before | None:
    """Return what was before the migration, None where nothing was said of it."""
    from eksnetpol.cli.change import BEFORE
    from eksnetpol.gateways.runs import Runs
    from eksnetpol.gateways.snapshot_file import decode, load
    from eksnetpol.operations.lifecycle import refuse_other_cluster
    from eksnetpol.operations.verifying import Before, cleaned_by

    if params["before"]:
        return Before(load(params["before"]))
    if not params["run_id"]:
        return None
    run = Runs.at(params["state_dir"]).find(params["run_id"])
    refuse_other_cluster(run.plan(), target, f"run {run.run}")
    data = run.load(BEFORE)
    if data is None:
        raise UsageError(f"run {run.run} kept no look from before it; give a snapshot with --before")
    return Before(decode(data, str(run.folder / BEFORE)), cleaned_by(run.plan(), run.entries()))
