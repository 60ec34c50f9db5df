"""``eksnetpol policy matrix``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from eksnetpol.cli.base import Command
from eksnetpol.cli.config import merge
from eksnetpol.cli.outputs import STDOUT, Output, settle, stream, write
from eksnetpol.cli.policy_options import ENVIRONMENT, EXITS, GREEDY, comparison, ending, inputs, meaning

if TYPE_CHECKING:
    from eksnetpol.cli.terminal import Terminal
    from eksnetpol.reporting.matrix_view import MatrixPage


@click.command(
    "matrix",
    cls=Command,
    greedy=GREEDY,
    short_help="Show who may reach whom, all pairs at once.",
    exits=(code for code in EXITS if code != 1),
    examples=(
        ("what manifests let through", "eksnetpol policy matrix --manifests k8s/"),
        ("as a page to filter, of a live cluster", "eksnetpol policy matrix --context shop -o html=matrix.html"),
        ("for a program", "eksnetpol policy matrix --snapshot shop.json.gz -o json | jq .connections"),
        ("where the VPC CNI and the API disagree", "eksnetpol policy matrix --context a --compare-semantics"),
    ),
    environment=ENVIRONMENT,
)
@inputs
@meaning
@comparison
@ending("text", "json", "csv", "markdown", "dot", "mermaid", "html")
@click.pass_context
def command(ctx: click.Context, /, **_flags: Any) -> int:
    """Show who may reach whom: every workload, the internet and every block of addresses that a policy names.

    Many workloads are summed up by namespace; -v shows each, and every other format has all of them. No pair is named between
    which nothing may flow.
    """
    config = merge(ctx)
    terminal = config.terminal()
    if ctx.params["show_config"]:
        write(config.text())
        return 0
    outputs = settle(ctx.params["output"])

    from eksnetpol.cli.policy_look import look
    from eksnetpol.gateways.collector_pause import collector_paused
    from eksnetpol.operations.policies import page_of

    found = look(config, terminal, whole=True)
    # What is made from here on lasts to the end: walking it for cycles would find none.
    with collector_paused():
        compare = config.settings.policy.compare_semantics
        page = page_of(found.world, found.profile, found.title, compare=compare)
        for output in sorted(outputs, key=lambda o: o.file == STDOUT):
            stream(_written(page, output, terminal), output.file)
    return 0


def _written(page: MatrixPage, output: Output, terminal: Terminal) -> Iterator[str]:
    import importlib

    match output.format:
        case "text":
            from eksnetpol.reporting import matrix_text

            color = terminal.colored if output.file == STDOUT else terminal.color == "always"
            return matrix_text.write(page, terminal.width, color=color, verbose=terminal.verbose > 0)
        case "dot" | "mermaid":
            written: Iterator[str] = importlib.import_module(f"eksnetpol.reporting.graph_{output.format}").write(page)
        case _:
            written = importlib.import_module(f"eksnetpol.reporting.matrix_{output.format}").write(page)
    return written
