"""``eksnetpol migrate prove``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import click

from eksnetpol.cli.base import Command
from eksnetpol.cli.commands.migrate.common import FORMATS, REPORTS, allowing, leaving, source, taken_on, waiving
from eksnetpol.cli.config import Config, configuration, merge
from eksnetpol.cli.options import general, option, sources, target
from eksnetpol.cli.outputs import STDOUT, Output, output_option, settle, write
from eksnetpol.cli.terminal import Terminal


@click.command(
    "prove",
    cls=Command,
    greedy=("--manifests",),
    short_help="Prove that nothing would flow that does not flow today.",
    exits=(0, 1, 2, 3, 6, 70, 130),
    exit_words={
        0: "nothing flows afterwards that did not",
        1: "something does, or could not be understood",
        3: "not settled: a part could not be read, the solver is missing or gave up",
    },
    examples=(
        ("over today's pods, and one for each combination of labels", "eksnetpol migrate prove --context shop"),
        ("over all pods that could ever exist", "eksnetpol migrate prove --snapshot shop.json.gz --symbolic"),
    ),
    environment=(("AWS_*, KUBECONFIG", "as the AWS CLI and kubectl read them"),),
)
@sources
@target
@leaving
@option(
    "--symbolic",
    group="Question",
    is_flag=True,
    help="Over all pods, labels and addresses that there could be (needs eksnetpol[prove]).",
)
@allowing
@waiving
@output_option(*FORMATS)
@configuration
@general
@click.pass_context
def command(ctx: click.Context, /, **_flags: Any) -> int:
    """Lay the other engine's meaning of all its policies beside the VPC CNI's meaning of what they become.

    Asked over today's pods, addresses outside, and one pod for each combination of labels that the policies can tell apart; with
    --symbolic over all that could ever exist, with a counterexample or a proof. NetworkPolicies that stay are part of it.
    """
    config = merge(ctx)
    terminal = config.terminal()
    if ctx.params["show_config"]:
        write(config.text())
        return 0
    outputs = settle(ctx.params["output"])

    from eksnetpol.gateways.collector_pause import collector_paused

    # What is made from here on lasts to the end: walking it for cycles would find none.
    with collector_paused():
        return _proved(ctx, config, terminal, outputs)


def _proved(ctx: click.Context, config: Config, terminal: Terminal, outputs: Sequence[Output]) -> int:
    from eksnetpol.cli.progress import busy, counting
    from eksnetpol.operations.migration import proved, translated, widenings
    from eksnetpol.operations.migration_reports import of_translation
    from eksnetpol.reporting import formats, translations

    taken, notes = taken_on(ctx, config)
    left = source(ctx, config, terminal)
    with counting(terminal) as tell:
        done = translated(left, taken, notes, cluster_policies=ctx.params["allow_cluster_policies"], tell=tell)
    code, outcome = widenings(done), None
    if ctx.params["symbolic"]:
        from eksnetpol.proof import Counterexample, Proved

        with busy(terminal, "asking the solver"):
            outcome = proved(left, done)
        if isinstance(outcome, Counterexample):
            code = 1
        elif not isinstance(outcome, Proved):
            code = code or 3
    for output in sorted(outputs, key=lambda o: o.file == STDOUT):
        verbose = terminal.verbose > 0
        form, width = output.format, terminal.width
        if form in REPORTS:
            said = () if outcome is None else (translations.proof_words(outcome),)
            report = of_translation(replace(done, notes=(*said, *done.notes)), left.stack, left.snapshot, code)
            write(formats.render(report, form, verbose=verbose), output.file)
            continue
        write(translations.render_proof(done, left.stack, outcome, form, width, exit_code=code, verbose=verbose), output.file)
    if not any(o.format == "text" and o.file == STDOUT for o in outputs):
        # The page says it first of all.
        terminal.say(translations.today_words(done))
        if outcome is not None:
            terminal.say(translations.proof_words(outcome))
    return code
