"""``eksnetpol migrate``."""

from __future__ import annotations

import click

from eksnetpol.cli.base import Group

_HERE = "eksnetpol.cli.commands.migrate"

COMMANDS = {
    "assess": (f"{_HERE}.assess", "Say which policy engines are there, and whether the cluster can leave them."),
    "translate": (f"{_HERE}.translate", "Write another engine's policies as NetworkPolicies, with a verdict on every rule."),
    "prove": (f"{_HERE}.prove", "Prove that nothing would flow that does not flow today."),
    "rehearse": (f"{_HERE}.rehearse", "Carry it all out on a copy of the cluster in memory, and see who enforces what."),
    "runbook": (f"{_HERE}.runbook", "Write it down for the change ticket, with the commands to do it by hand."),
    "run": (f"{_HERE}.run", "Lead the cluster off the other engine, phase by phase, with a way back."),
    "status": (f"{_HERE}.status", "Say where a migration stands: its phases, and whose agent runs on each node."),
    "verify": (f"{_HERE}.verify", "Say whether the old engine is gone, the VPC CNI enforces, and all flows as before."),
    "cleanup": (f"{_HERE}.cleanup", "Take away what an engine that is gone has left in the cluster."),
}
"""Module and line in --help of each command."""


@click.group(
    "migrate",
    cls=Group,
    lazy=COMMANDS,
    short_help="Leave another policy engine for the VPC CNI's own.",
    examples=(
        ("what stands in the way", "eksnetpol migrate assess --cluster shop --region eu-west-1"),
        ("policies as files for review", "eksnetpol migrate translate --context shop --out policies/"),
        ("that nothing would flow that does not", "eksnetpol migrate prove --snapshot shop.json.gz"),
    ),
)
def command() -> None:
    """Leave another policy engine (Calico, Cilium, Antrea, Canal, Weave Net, kube-router) for the VPC CNI's own."""
