"""``eksnetpol policy flows``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from eksnetpol.cli.base import Command
from eksnetpol.cli.config import Config, merge
from eksnetpol.cli.options import option
from eksnetpol.cli.outputs import STDOUT, Output, settle, write
from eksnetpol.cli.policy_options import ENVIRONMENT, EXITS, GREEDY, ending, inputs, meaning
from eksnetpol.cli.terminal import Terminal
from eksnetpol.errors import UsageError

if TYPE_CHECKING:
    from eksnetpol.cli.policy_look import PolicyLook
    from eksnetpol.policy.flow_report import FlowReport
    from eksnetpol.policy.world import World

FORMATS = ("auto", "vpc", "agent", "hubble", "calico", "conntrack")


@click.command(
    "flows",
    cls=Command,
    greedy=(*GREEDY, "--policies"),
    short_help="Replay observed flows: what would policies deny, and what is to be added.",
    exits=EXITS,
    exit_words={0: "nothing that was let through would be denied", 1: "something would be (--fail-on)"},
    examples=(
        ("what would break, by VPC Flow Logs", "eksnetpol policy flows logs/*.log.gz --snapshot shop.json.gz"),
        ("policies that are not applied yet", "eksnetpol policy flows flows.log --context shop --policies k8s/policies/"),
        ("the policies to add", "eksnetpol policy flows flows.log --context shop -o yaml=observed.yaml"),
        ("what a node knows", "conntrack -L | eksnetpol policy flows - --snapshot shop.json.gz"),
        ("what the agent has denied, and by which rule", "eksnetpol policy flows network-policy-agent.log --context shop"),
    ),
    environment=ENVIRONMENT,
)
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@inputs
@option(
    "--policies",
    "policies",
    group="Question",
    setting="flows-policies",
    metavar="PATH...",
    multiple=True,
    help="Judge as if the policies in these files or directories were applied too; one of a name that is there takes its place.",
)
@option(
    "--format",
    "format_",
    group="Question",
    setting="flows-format",
    type=click.Choice(FORMATS),
    default="auto",
    help="What the files are; auto asks each file.  [default: auto]",
)
@option(
    "--fields",
    group="Question",
    setting="flows-fields",
    metavar="FIELDS",
    help="Fields of a custom format of VPC Flow Logs, in order, for files without a header, e.g. '${version} ${srcaddr} ...'.",
)
@meaning
@option(
    "--fail-on",
    "ends",
    group="Verdict",
    setting="flows-fail-on",
    type=click.Choice(("denied", "never")),
    default="denied",
    help="What ends with exit code 1: a flow that was let through and would be denied, or nothing.  [default: denied]",
)
@ending("text", "json", "yaml", "csv", "markdown", "junit")
@click.pass_context
def command(ctx: click.Context, /, files: tuple[str, ...], **_flags: Any) -> int:
    """Replay the flows in each FILE against the policies, and say what they would deny.

    FILE is a log, plain or gzipped, a directory of logs, or - for stdin: VPC Flow Logs as text (with pkt-srcaddr, pkt-dstaddr and
    tcp-flags, if they are to tell pods and servers), the policy log of the node agent from its file or from CloudWatch, flows of
    Hubble or Calico as JSON, or what `conntrack -L` prints. Parquet is not read. Files are streamed, whatever their size.

    Flows are put together by workload, port and verdict. For those that were let through and would be denied, the rule that
    denies them is named, and the smallest policies that would allow them are printed (-o yaml prints these alone). Addresses are
    told by the pods that have them now, which a log that is older than the pods misleads: what is older than a pod is left out.
    """
    config = merge(ctx)
    terminal = config.terminal()
    if ctx.params["show_config"]:
        write(config.text())
        return 0
    return _run(ctx, config, terminal, files)


def _run(ctx: click.Context, config: Config, terminal: Terminal, files: tuple[str, ...]) -> int:
    outputs = settle(ctx.params["output"])
    stdin_twice = "-" in files and ("-" in config.settings.manifests or config.settings.snapshot == "-")
    if stdin_twice or files.count("-") > 1:
        raise UsageError("- stands for stdin, which can be read once; give one of them as a file")

    from eksnetpol.cli.policy_look import look
    from eksnetpol.cli.progress import busy
    from eksnetpol.gateways.collector_pause import collector_paused
    from eksnetpol.model.flows import Format
    from eksnetpol.operations.flows import Logs, replay
    from eksnetpol.reporting.flow_words import sentence

    chosen = None if ctx.params["format_"] == "auto" else Format(ctx.params["format_"])
    logs = Logs(files, sys.stdin.buffer if sys.stdin else None, chosen, ctx.params["fields"] or "")
    found = look(config, terminal, whole=True)
    world = _world(found, ctx.params["policies"], terminal)
    # What is kept grows with the parties and not with the flows, so there is nothing for the collector to find meanwhile.
    with collector_paused():
        with busy(terminal, "replaying the flows"):
            report = replay(logs, world, found.profile)
        for output in sorted(outputs, key=lambda o: o.file == STDOUT):
            write(_rendered(report, world, output, terminal), output.file)
    if not report.breaking or ctx.params["ends"] != "denied":
        return 0
    terminal.say(f"exit code 1: {sentence(report)}")
    return 1


def _world(found: PolicyLook, paths: tuple[str, ...], terminal: Terminal) -> World:
    if not paths:
        return found.world
    from dataclasses import replace

    from eksnetpol.cli.policy_look import said
    from eksnetpol.gateways.manifest_files import read_manifests
    from eksnetpol.model.problems import Problem
    from eksnetpol.operations.flows import with_policies
    from eksnetpol.policy.world import World

    notes: list[str] = []
    problems: list[Problem] = []
    snapshot = read_manifests(paths, None, notes.append, problems=problems.append)
    for note in notes:
        terminal.say(f"note: {note}")
    more = World.of(snapshot)
    said(replace(found, snapshot=snapshot, world=more, problems=tuple(problems), notes=()), terminal)
    return with_policies(found.world, more)


def _rendered(report: FlowReport, world: World, output: Output, terminal: Terminal) -> str:
    from eksnetpol.gateways.rule_places import RulePlaces
    from eksnetpol.reporting import flow_documents, flows

    place_of = RulePlaces(world.origins).of
    match output.format:
        case "json":
            return flow_documents.json(report, place_of)
        case "csv":
            return flow_documents.csv(report, place_of)
        case "junit":
            return flow_documents.junit(report, place_of)
        case "yaml":
            return flows.manifests(report)
        case "markdown":
            return flows.page(report, place_of)
        case _:
            color = terminal.colored if output.file == STDOUT else terminal.color == "always"
            return flows.text(report, place_of, terminal.width, color=color, verbose=terminal.verbose > 0)
