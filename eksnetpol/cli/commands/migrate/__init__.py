"""``eksnetpol migrate``."""

from __future__ import annotations

import click

from eksnetpol.cli.base import Group

_HERE = "eksnetpol.cli.commands.migrate"

COMMANDS = {
    "assess": (f"{_HERE}.assess", "Say which policy engines are there, and whether the cluster can leave them."),
}
"""Module and line in --help of each command."""


@click.group(
    "migrate",
    cls=Group,
    lazy=COMMANDS,
    short_help="Leave another policy engine for the VPC CNI's own.",
    examples=(
        ("what stands in the way", "eksnetpol migrate assess --cluster shop --region eu-west-1"),
        ("on a snapshot", "eksnetpol migrate assess --snapshot shop.json.gz"),
    ),
)
def command() -> None:
    """Leave another policy engine (Calico, Cilium, Antrea, Canal, Weave Net, kube-router) for the VPC CNI's own."""
