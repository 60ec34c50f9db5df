"""``eksnetpol policy simulate``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from eksnetpol.cli.base import Command
from eksnetpol.cli.config import Config, merge
from eksnetpol.cli.options import option
from eksnetpol.cli.outputs import STDOUT, Output, settle, write
from eksnetpol.cli.policy_options import ENVIRONMENT, EXITS, GREEDY, ending, inputs, meaning
from eksnetpol.cli.terminal import Terminal

if TYPE_CHECKING:
    from eksnetpol.policy.outlook import Simulation

FLOWS = (
    "dns",
    "node-local-dns",
    "upstream-dns",
    "api-server",
    "imds",
    "pod-identity",
    "sts",
    "webhook",
    "aggregated-api",
    "load-balancer",
    "node-port",
    "probes",
    "metrics",
)


@click.command(
    "simulate",
    cls=Command,
    greedy=GREEDY,
    short_help="Say what happens the second enforcement goes on.",
    exits=EXITS,
    exit_words={0: "nothing essential is lost", 1: "something essential would be lost (--fail-on)"},
    examples=(
        ("a live cluster, before the switch is thrown", "eksnetpol policy simulate --context shop"),
        ("what strict mode would cut off", "eksnetpol policy simulate --snapshot shop.json.gz --mode strict"),
        ("manifests, where nobody uses the node's role", "eksnetpol policy simulate --manifests k8s/ --skip imds"),
        ("the policies to add, to look at and apply", "eksnetpol policy simulate --context shop -o yaml=add.yaml"),
    ),
    environment=ENVIRONMENT,
)
@inputs
@meaning
@option(
    "--skip",
    "without",
    group="Question",
    setting="simulate-skip",
    metavar="FLOW",
    multiple=True,
    type=click.Choice(FLOWS),
    help=f"Do not judge this flow; may be repeated: {', '.join(FLOWS)}.",
)
@option(
    "--fail-on",
    "ends",
    group="Verdict",
    setting="simulate-fail-on",
    type=click.Choice(("lost", "isolated", "never")),
    default="lost",
    help="What ends with exit code 1: an essential flow that is lost, anybody isolated, or nothing.  [default: lost]",
)
@option(
    "--fail-on-unknown/--no-fail-on-unknown",
    group="Verdict",
    default=None,
    help="Whether what could not be told ends with exit code 3.  [default: yes, but not for --manifests]",
)
@ending("text", "json", "yaml", "markdown")
@click.pass_context
def command(ctx: click.Context, /, **_flags: Any) -> int:
    """Say what happens the second enforcement goes on: who is isolated, and what that costs.

    Policies that nobody enforces today take force all at once. Named are the workloads that become isolated, in which direction
    and by which policies, default deny first; those that policies select in vain; those that strict mode would cut off; and for
    each isolated workload what it keeps or loses of the traffic that nobody writes down: DNS, the API server, credentials,
    webhooks, load balancers, probes. What is lost comes with the policies to add (-o yaml prints these alone).
    """
    config = merge(ctx)
    terminal = config.terminal()
    if ctx.params["show_config"]:
        write(config.text())
        return 0
    return _run(ctx, config, terminal)


def _run(ctx: click.Context, config: Config, terminal: Terminal) -> int:
    outputs = settle(ctx.params["output"])

    from eksnetpol.cli.policy_look import look, only_of_ours
    from eksnetpol.gateways.collector_pause import collector_paused
    from eksnetpol.model.snapshot import SourceKind
    from eksnetpol.operations.policy_simulation import simulate
    from eksnetpol.policy.needs import Kind
    from eksnetpol.policy.outlook import FailOn

    only_of_ours(config.settings.policy, "eksnetpol policy matrix")
    found = look(config, terminal)
    with collector_paused():
        done = simulate(found.snapshot, found.world, found.profile, {Kind(word) for word in ctx.params["without"]})
        unknown = config.settings.fail_on_unknown
        unknown = done.source is not SourceKind.MANIFESTS if unknown is None else unknown
        code = done.exit_code(FailOn(ctx.params["ends"]), fail_on_unknown=unknown)
        for output in sorted(outputs, key=lambda o: o.file == STDOUT):
            write(_rendered(done, output, terminal, code), output.file)
    if code == 3:  # noqa: PLR2004 - what the exit code means
        terminal.say("exit code 3: what counts could not all be determined; --no-fail-on-unknown accepts that")
    return code


def _rendered(done: Simulation, output: Output, terminal: Terminal, code: int) -> str:
    from eksnetpol.reporting import (
        policy_simulation,
        policy_simulation_json,
        policy_simulation_markdown,
        policy_simulation_text,
    )

    verbose = terminal.verbose > 0
    match output.format:
        case "json":
            return policy_simulation_json.json(done, code)
        case "yaml":
            return policy_simulation.manifests(done)
        case "markdown":
            return policy_simulation_markdown.markdown(done, verbose=verbose)
        case _:
            color = terminal.colored if output.file == STDOUT else terminal.color == "always"
            return policy_simulation_text.text(done, terminal.width, color=color, verbose=verbose)
