"""``eksnetpol policy reach``."""

from __future__ import annotations

from typing import Any

import click

from eksnetpol.cli.base import Command
from eksnetpol.cli.policy_answers import run
from eksnetpol.cli.policy_options import ENVIRONMENT, EXITS, GREEDY, comparison, ending, inputs, meaning


@click.command(
    "reach",
    cls=Command,
    greedy=GREEDY,
    short_help="Say whether one may reach another, and which rule decides.",
    exits=EXITS,
    exit_words={0: "it may; without PORT: on something", 1: "it may not, or only in part"},
    examples=(
        ("one port, in manifests", "eksnetpol policy reach shop/web shop/api 8080 --manifests k8s/"),
        ("a named port of a Service, live", "eksnetpol policy reach shop/web svc:shop/api http"),
        ("all that may come in from the internet", "eksnetpol policy reach internet shop/web --context shop"),
        ("DNS, as the API specifies it", "eksnetpol policy reach a/b 10.0.0.10 53/udp --semantics kubernetes"),
    ),
    environment=ENVIRONMENT,
)
@click.argument("source", metavar="SRC")
@click.argument("destination", metavar="DST")
@click.argument("port", metavar="[PORT]", required=False)
@inputs
@meaning
@comparison
@ending("text", "json")
@click.pass_context
def command(ctx: click.Context, /, source: str, destination: str, port: str | None, **_flags: Any) -> int:
    """Say whether SRC may reach DST, and which rule decides that on either side.

    SRC and DST are NAMESPACE/NAME (a workload or a pod), NAMESPACE/KIND/NAME, svc:NAMESPACE/NAME (the ClusterIP of a Service),
    an address, a CIDR, or internet. PORT is a number, a range such as 8000-8100 or the name of a port, with /udp or /sctp where
    it is not TCP; without it the answer is everything that may flow.
    """
    return run(ctx, source, destination, port)
