"""``eksnetpol migrate assess``."""

from __future__ import annotations

from typing import Any

import click

from eksnetpol.cli.base import Command
from eksnetpol.cli.commands.migrate.common import FORMATS, REPORTS, giving_up, taken_on
from eksnetpol.cli.config import configuration, merge
from eksnetpol.cli.options import general, sources, target
from eksnetpol.cli.outputs import STDOUT, output_option, settle, write


@click.command(
    "assess",
    cls=Command,
    greedy=("--manifests",),
    short_help="Say which policy engines are there, and whether the cluster can leave them.",
    exits=(0, 1, 2, 3, 6, 70, 130),
    exit_words={
        0: "the cluster can be moved, or has nothing to move from",
        1: "the cluster is not to be moved as it is",
    },
    examples=(
        ("a live cluster", "eksnetpol migrate assess --cluster shop --region eu-west-1"),
        ("on a snapshot, for a script", "eksnetpol migrate assess --snapshot shop.json.gz -o json | jq -r .outlook"),
        ("manifests in a pipeline", "eksnetpol migrate assess --manifests k8s/"),
    ),
    environment=(("AWS_*, KUBECONFIG", "as the AWS CLI and kubectl read them"),),
)
@sources
@target
@giving_up
@output_option(*FORMATS)
@configuration
@general
@click.pass_context
def command(ctx: click.Context, /, **_flags: Any) -> int:
    """Say which policy engines are there, live, in part or as residue, and whether this tool can move the cluster off them.

    Named are each engine's release, data plane and mode, what of the cluster is its own and who keeps it as it is, what it does
    beside policies and would go with it, and which nodes keep its rules until they are replaced. What could not be read makes
    the answer unknown, never "no engine found".
    """
    config = merge(ctx)
    terminal = config.terminal()
    if ctx.params["show_config"]:
        write(config.text())
        return 0
    outputs = settle(ctx.params["output"])

    from eksnetpol.cli.look import look
    from eksnetpol.operations.migration_reports import of_assessment
    from eksnetpol.reporting import assessments, formats
    from eksnetpol.translation.assessment import assess

    taken, notes = taken_on(ctx, config, losses=True)
    snapshot = look(config, terminal, "eksnetpol migrate assess")
    found = assess(snapshot, taken, notes)
    for output in sorted(outputs, key=lambda o: o.file == STDOUT):
        color = terminal.colored if output.file == STDOUT else terminal.color == "always"
        if output.format in REPORTS:
            report = of_assessment(found, snapshot)
            write(formats.render(report, output.format, verbose=terminal.verbose > 0), output.file)
            continue
        write(assessments.render(found, output.format, terminal.width, color=color), output.file)
    if found.exit_code == 3:  # noqa: PLR2004 - what the exit code means
        terminal.say("exit code 3: what is decisive could not all be read, as said above")
    return found.exit_code
