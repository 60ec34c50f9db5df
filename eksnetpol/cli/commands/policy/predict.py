"""``eksnetpol policy predict``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from eksnetpol.cli.base import Command
from eksnetpol.cli.config import merge
from eksnetpol.cli.options import option
from eksnetpol.cli.outputs import STDOUT, Output, settle, stream, write
from eksnetpol.cli.policy_options import ENVIRONMENT, EXITS, GREEDY, MEANING, controller_release, ending, inputs
from eksnetpol.cli.terminal import Terminal
from eksnetpol.errors import UsageError

if TYPE_CHECKING:
    from eksnetpol.model.snapshot import ClusterSnapshot
    from eksnetpol.policy.prediction.predict import Prediction

_REPORTS = ("junit", "sarif", "github")
"""Formats in which pipelines read what --check finds."""


@click.command(
    "predict",
    cls=Command,
    greedy=GREEDY,
    short_help="Write the PolicyEndpoints that the controller writes, or hold the live ones to them.",
    exits=EXITS,
    exit_words={0: "written; with --check: all as the controller writes it", 1: "with --check: a blocker or warning was found"},
    examples=(
        ("how many objects each policy becomes", "eksnetpol policy predict --manifests k8s/"),
        ("the objects themselves", "eksnetpol policy predict --snapshot shop.json.gz -o json=endpoints.json"),
        ("is what the agents read what the policies say", "eksnetpol policy predict --check --context shop"),
    ),
    environment=ENVIRONMENT,
)
@inputs
@controller_release
@option(
    "--chunk-size",
    group=MEANING,
    type=click.IntRange(1),
    metavar="N",
    default=200,
    show_default=True,
    help="Most entries of a list in one object: the controller's --endpoint-chunk-size.",
)
@option(
    "--check",
    group="Question",
    is_flag=True,
    help="Compare with the objects of the cluster and name what is missing, left over, out of date or somebody else's.",
)
@ending("text", "json", "yaml", *_REPORTS)
@click.pass_context
def command(ctx: click.Context, /, **_flags: Any) -> int:
    """Write the PolicyEndpoint and ClusterPolicyEndpoint objects that AWS's network policy controller writes, exactly.

    Text is a line for each policy: how many objects, and how many entries they hold. JSON is a List and YAML a stream of
    documents, as `kubectl get -o` has them. What is left to chance, or ends the controller's process, is said on stderr. JUnit,
    SARIF and GitHub's annotations are for what --check finds.
    """
    config = merge(ctx)
    terminal = config.terminal()
    if ctx.params["show_config"]:
        write(config.text())
        return 0
    outputs = sorted(settle(ctx.params["output"]), key=lambda o: o.file == STDOUT)
    _settle(outputs, check=ctx.params["check"])

    from eksnetpol.cli.policy_look import look, only_of_ours
    from eksnetpol.gateways.collector_pause import collector_paused
    from eksnetpol.policy.prediction.predict import predict

    only_of_ours(config.settings.policy, "eksnetpol policy matrix")
    found = look(config, terminal)
    # What is resolved lasts to the end: walking a large cluster for cycles finds none.
    with collector_paused():
        prediction = predict(found.world, found.profile, ctx.params["chunk_size"])
        if ctx.params["check"]:
            return _check(prediction, found.snapshot, outputs, terminal)
        _write(prediction, outputs, terminal)
    return _lost(prediction, terminal)


def _settle(outputs: list[Output], *, check: bool) -> None:
    for output in outputs:
        if check and output.format == "yaml":
            raise UsageError("-o yaml writes predicted objects, and --check compares them; use -o text or -o json")
        if not check and output.format in _REPORTS:
            raise UsageError(f"-o {output.format} reports what --check finds; add --check, or use -o json")


def _write(prediction: Prediction, outputs: list[Output], terminal: Terminal) -> None:
    from eksnetpol.reporting import prediction as pages

    for output in outputs:
        stream((part.decode() for part in _parts(prediction, output.format)), output.file)
    if all(o.format == "text" for o in outputs):
        # The page has them.
        return
    for note in prediction.notes:
        terminal.say(f"note: {pages.note(note)}")
    for doubt in prediction.undetermined:
        terminal.say(f"note: {pages.undetermined(doubt)}")


def _parts(prediction: Prediction, format_: str) -> Iterator[bytes]:
    from eksnetpol.reporting import prediction as pages

    if format_ == "json":
        return pages.as_json(prediction.documents())
    return pages.as_yaml(prediction.documents()) if format_ == "yaml" else pages.as_text(prediction)


def _lost(prediction: Prediction, terminal: Terminal) -> int:
    """Return 3, and say why, where the controller sees what could not be seen here; else 0."""
    from eksnetpol.operations.prediction import unread

    lost = unread(prediction.world)
    if lost:
        words = "; ".join(f"{s.name.replace('_', ' ')}: {s.unread.reason}" for s in lost)
        terminal.say(f"exit code 3: the controller sees what could not be read here: {words}")
    return 3 if lost else 0


def _check(prediction: Prediction, snapshot: ClusterSnapshot, outputs: list[Output], terminal: Terminal) -> int:
    from eksnetpol.operations.prediction import check, is_failing, report, unseen
    from eksnetpol.reporting import prediction_check as pages
    from eksnetpol.reporting.formats import render

    reason = unseen(snapshot)
    if reason:
        terminal.say(f"exit code 3: PolicyEndpoints could not be read, so there is nothing to compare with: {reason}")
    if reason or _lost(prediction, terminal):
        return 3
    found = check(prediction, snapshot)
    for output in outputs:
        color = terminal.colored if output.file == STDOUT else terminal.color == "always"
        if output.format == "json":
            write(pages.as_json(prediction, found), output.file)
        elif output.format in _REPORTS:
            write(render(report(found, snapshot), output.format, verbose=terminal.verbose > 0), output.file)
        else:
            write(pages.as_text(prediction, found, terminal.width, ascii_only=not color), output.file)
    return int(is_failing(found))
