"""``eksnetpol policy lint``."""

from __future__ import annotations

from typing import Any

import click

from eksnetpol.cli.base import Command
from eksnetpol.cli.commands.preflight import FORMATS, JUDGEMENTS, explain_exit, outputs_of, read_baseline_file, speak
from eksnetpol.cli.config import Config, merge
from eksnetpol.cli.options import THRESHOLDS, CheckId, option
from eksnetpol.cli.outputs import settle, write
from eksnetpol.cli.policy_options import ENVIRONMENT, EXITS, GREEDY, ending, inputs, releases
from eksnetpol.cli.terminal import Terminal


@click.command(
    "lint",
    cls=Command,
    greedy=GREEDY,
    short_help="Find what is wrong with policies, each with the rule it is about.",
    exits=EXITS,
    exit_words={0: "nothing at or above --fail-on"},
    examples=(
        ("manifests in a pipeline", "eksnetpol policy lint --manifests k8s/ -o text -o sarif=lint.sarif"),
        ("warnings fail it too", "kustomize build . | eksnetpol policy lint --manifests - --fail-on warning"),
        ("a live cluster", "eksnetpol policy lint --context shop"),
        ("what must be able to speak to what", "eksnetpol policy lint --manifests k8s/ --dependencies dependencies.yaml"),
        ("only what closes what pods live on", "eksnetpol policy lint --snapshot shop.json.gz --select '*-stays-reachable'"),
    ),
    environment=ENVIRONMENT,
)
@inputs
@option(
    "--dependencies",
    group="Question",
    metavar="FILE",
    help="A YAML list of {from, to, port, protocol}: what must flow; a warning where policies block it.",
)
@option(
    "--select",
    group="Question",
    metavar="ID",
    multiple=True,
    type=CheckId(),
    help="Ask only these: ids or families, with * and ?; commas or repeated.",
)
@option("--skip", group="Question", metavar="ID", multiple=True, type=CheckId(), help="Do not ask these.")
@option("--ignore", group="Question", metavar="ID", multiple=True, type=CheckId(), help="Ask and show these, uncounted.")
@option("--baseline", group="Question", metavar="FILE", help="A former report of -o json: what it found already does not count.")
@releases
@option(
    "--fail-on",
    group="Verdict",
    type=click.Choice(THRESHOLDS),
    help="Least severity of a finding that ends with exit code 1.  [default: blocker]",
)
@option(
    "--fail-on-unknown/--no-fail-on-unknown",
    group="Verdict",
    default=None,
    help="Whether what could not be told ends with exit code 3.  [default: yes, but not for --manifests]",
)
@option("--exit-zero", group="Verdict", is_flag=True, default=None, help="End with 0 in spite of findings and unknowns.")
@ending(*FORMATS)
@click.pass_context
def command(ctx: click.Context, /, **_flags: Any) -> int:
    """Find what is wrong with network policies: what they close that pods live on, what they open in vain, and what the VPC CNI
    makes of them that they do not say.

    Asks all checks about policies (`eksnetpol checks list --family policies`), of a live cluster, a snapshot or manifests. Each
    finding names the policy, the place in it and, for files, the line. Waivers, severities and what to leave out are as for
    `eksnetpol preflight`. Malformed policies are findings too. --controller-version, --agent-version, --mode and --ip-family are
    for --dependencies alone.
    """
    config = merge(ctx)
    terminal = config.terminal()
    if ctx.params["show_config"]:
        write(config.text())
        return 0
    return _run(config, terminal, ctx.params["dependencies"])


def _run(config: Config, terminal: Terminal, dependencies: str | None) -> int:
    from eksnetpol.cli.look import source
    from eksnetpol.cli.policy_look import look
    from eksnetpol.cli.progress import busy
    from eksnetpol.gateways.case_files import read_dependencies
    from eksnetpol.gateways.collector_pause import collector_paused
    from eksnetpol.operations.lint import Extra, lint

    settings = config.settings
    source(config)
    outputs = settle(outputs_of(config))
    baseline = read_baseline_file(settings.baseline)
    cases = read_dependencies(dependencies) if dependencies else None
    with collector_paused():
        found = look(config, terminal)
        ended = None
        if cases is not None:
            from eksnetpol.operations.policies import check

            ended = check(cases, found.world, found.profile)
        with busy(terminal, "asking the checks"):
            report = lint(found.snapshot, settings, baseline, Extra(found.problems, ended))
        speak(report, outputs, terminal)
    if settings.exit_zero and report.exit_code in JUDGEMENTS:
        return 0
    explain_exit(report, terminal)
    return report.exit_code
