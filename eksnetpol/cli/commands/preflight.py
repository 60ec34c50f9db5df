"""``eksnetpol preflight``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from eksnetpol.cli.base import Command
from eksnetpol.cli.config import Config, configuration, merge
from eksnetpol.cli.options import INTENTS, THRESHOLDS, CheckId, general, option, sources, target
from eksnetpol.cli.outputs import STDOUT, Output, OutputType, output_option, settle, write
from eksnetpol.cli.terminal import Terminal
from eksnetpol.errors import UsageError

if TYPE_CHECKING:
    from eksnetpol.model.findings import Baseline, Report

FORMATS = ("text", "json", "yaml", "markdown", "junit", "sarif", "github", "html")
JUDGEMENTS = frozenset({1, 3})
"""Exit codes that --exit-zero takes back: what was found, or could not be. A bug or wrong usage is not among them."""


@click.command(
    "preflight",
    cls=Command,
    greedy=("--manifests",),
    short_help="Say whether a cluster can enforce network policy with the VPC CNI.",
    exits=(0, 1, 2, 3, 6, 70, 130),
    exit_words={0: "nothing at or above --fail-on"},
    examples=(
        ("a live cluster, by the AWS credentials at hand", "eksnetpol preflight --cluster shop --region eu-west-1"),
        ("the kubeconfig's current context", "eksnetpol preflight"),
        ("what would leaving Calico take, on a snapshot", "eksnetpol preflight --snapshot shop.json.gz --for migrate"),
        ("manifests in a pipeline", "eksnetpol preflight --manifests k8s/ base/ -o text -o sarif=eksnetpol.sarif"),
        ("what kustomize builds, warnings included", "kustomize build . | eksnetpol preflight --manifests - --fail-on warning"),
        ("the summary page of a GitHub Actions job", 'eksnetpol preflight --manifests k8s/ -o markdown="$GITHUB_STEP_SUMMARY"'),
        ("only what is new since last week", "eksnetpol preflight --context shop --baseline last-week.json"),
    ),
    environment=(
        ("AWS_*, KUBECONFIG", "as the AWS CLI and kubectl read them"),
        ("NO_COLOR, COLUMNS", "no colour; the width of text"),
    ),
)
@sources
@target
@option(
    "--for",
    "intent",
    group="Question",
    type=click.Choice(INTENTS),
    help="The change under consideration.  [default: enable]",
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
@output_option(*FORMATS)
@configuration
@general
@click.pass_context
def command(ctx: click.Context, /, **_flags: Any) -> int:
    """Say whether a cluster can enforce Kubernetes network policy with the Amazon VPC CNI, and what stands in the way.

    Looks once, at a live cluster, at a snapshot of one or at manifests, asks every check that the change under consideration
    calls for, and reports with evidence. Changes nothing. What cannot be known is reported as unknown, never as passed.
    """
    config = merge(ctx)
    terminal = config.terminal()
    if ctx.params["show_config"]:
        write(config.text())
        return 0
    return _run(config, terminal)


def _run(config: Config, terminal: Terminal) -> int:
    from eksnetpol.cli.look import look, source
    from eksnetpol.cli.progress import busy
    from eksnetpol.gateways.collector_pause import collector_paused
    from eksnetpol.operations.preflight import preflight

    settings = config.settings
    source(config)
    outputs = settle(outputs_of(config))
    baseline = read_baseline_file(settings.baseline)
    snapshot = look(config, terminal)
    # What checks make lasts to the end or is freed at once: walking a large snapshot for cycles finds none.
    with collector_paused():
        with busy(terminal, "asking the checks"):
            report = preflight(snapshot, settings, settings.intent, baseline)
        speak(report, outputs, terminal)
    if settings.exit_zero and report.exit_code in JUDGEMENTS:
        return 0
    explain_exit(report, terminal)
    return report.exit_code


def outputs_of(config: Config) -> list[Output]:
    """Return where a report goes, in which formats. Raises `UsageError` for a format that there is not."""
    try:
        return [OutputType(FORMATS).convert(text, None, None) for text in config.settings.outputs]
    except click.BadParameter as error:
        raise UsageError(f"{config.said['outputs'].words}: outputs: {error.message}") from error


def read_baseline_file(file: str | None) -> Baseline | None:
    """Return what the former report in *file* found, where one is named. Raises as `read_baseline` does, and `UsageError`."""
    if not file:
        return None
    from eksnetpol.reporting.json_v1 import read_baseline

    try:
        data = Path(file).read_bytes()
    except OSError as error:
        raise UsageError(f"{file}: the baseline cannot be read: {error.strerror or error}") from error
    return read_baseline(data, file)


def speak(report: Report, outputs: tuple[Output, ...], terminal: Terminal) -> None:
    """Write *report* to each of *outputs*, stdout last."""
    from eksnetpol.reporting.formats import render

    for output in sorted(outputs, key=lambda o: o.file == STDOUT):
        here = output.file == STDOUT
        color = terminal.colored if here else terminal.color == "always"
        text = render(report, output.format, width=terminal.width, color=color, verbose=terminal.verbose > 0)
        write(text, output.file)
        if not here:
            terminal.say(f"{output.format} written to {output.file}", level=1)


def explain_exit(report: Report, terminal: Terminal) -> None:
    """Say on stderr why the command will not end with 0."""
    from eksnetpol.reporting import view

    match report.exit_code:
        case 1:
            terminal.say(f"exit code 1: {view.counts(report)}")
        case 3:
            terminal.say("exit code 3: what counts could not all be determined; --no-fail-on-unknown accepts that")
        case 70:
            terminal.say("exit code 70: a check broke, which is a bug; run again with --debug and report it")
