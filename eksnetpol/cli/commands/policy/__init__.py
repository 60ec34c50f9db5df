"""``eksnetpol policy``: the list of its commands."""

from __future__ import annotations

import click

from eksnetpol.cli.base import Group

_HERE = "eksnetpol.cli.commands.policy"

COMMANDS: dict[str, tuple[str, str]] = {
    "reach": (f"{_HERE}.reach", "Say whether one may reach another, and which rule decides."),
    "matrix": (f"{_HERE}.matrix", "Show who may reach whom, all pairs at once."),
    "explain": (f"{_HERE}.explain", "Name every rule that has a say about a connection, and the rule that is missing."),
    "test": (f"{_HERE}.test", "Hold policies to what is expected of them, in a pipeline."),
    "lint": (f"{_HERE}.lint", "Find what is wrong with policies, each with the rule it is about."),
    "predict": (f"{_HERE}.predict", "Write the PolicyEndpoints that the controller writes, or hold the live ones to them."),
    "diff": (f"{_HERE}.diff", "Say which connections a change of policies adds and takes away."),
    "flows": (f"{_HERE}.flows", "Replay observed flows: what would policies deny, and what is to be added."),
    "graph": (f"{_HERE}.graph", "Draw who may talk to whom."),
    "simulate": (f"{_HERE}.simulate", "Say what happens the second enforcement goes on."),
}
"""Module and line in --help of each command, in the order they are worth reading."""


@click.group(
    "policy",
    cls=Group,
    lazy=COMMANDS,
    short_help="Say what network policies let through, exactly.",
    examples=(
        ("may this one reach that one", "eksnetpol policy reach shop/web shop/api 8080 --manifests k8s/"),
        ("who may reach whom, as a page to filter", "eksnetpol policy matrix --context shop -o html=matrix.html"),
        ("what a pull request changes", "eksnetpol policy diff main:k8s/ k8s/ --fail-on widened"),
    ),
)
def command() -> None:
    """Say what network policies let through, exactly, before or after they are applied.

    Every command looks at a live cluster, a snapshot or manifests, and answers as the VPC CNI enforces, or as the Kubernetes API
    specifies (--semantics). Nothing is changed.
    """
