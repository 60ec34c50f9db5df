"""``eksnetpol policy explain``."""

from __future__ import annotations

from typing import Any

import click

from eksnetpol.cli.base import Command
from eksnetpol.cli.policy_answers import run
from eksnetpol.cli.policy_options import ENVIRONMENT, EXITS, GREEDY, comparison, ending, inputs, meaning


@click.command(
    "explain",
    cls=Command,
    greedy=GREEDY,
    short_help="Name every rule that has a say about a connection, and the rule that is missing.",
    exits=EXITS,
    exit_words={0: "it is allowed", 1: "it is denied, or only allowed in part"},
    examples=(
        ("why does this time out", "eksnetpol policy explain shop/web shop/db 5432 --context shop"),
        ("the rule to add, as a file", "eksnetpol policy explain shop/web shop/db 5432 -o yaml=add.yaml"),
        ("where the VPC CNI and the API disagree", "eksnetpol policy explain a/b c/d 80 --compare-semantics"),
    ),
    environment=ENVIRONMENT,
)
@click.argument("source", metavar="SRC")
@click.argument("destination", metavar="DST")
@click.argument("port", metavar="PORT")
@inputs
@meaning
@comparison
@ending("text", "json", "yaml")
@click.pass_context
def command(ctx: click.Context, /, source: str, destination: str, port: str, **_flags: Any) -> int:
    """Name every policy and rule that has a say about SRC reaching PORT of DST, in the order they are asked.

    Each is named with its file and line, or its object. When the answer is no, the smallest rule that would allow it follows, as
    YAML to apply; -o yaml is that alone. SRC, DST and PORT are as in `eksnetpol policy reach`.
    """
    return run(ctx, source, destination, port, explained=True)
