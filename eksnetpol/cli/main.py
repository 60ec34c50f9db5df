"""The list of commands, and the way in."""

from __future__ import annotations

import click

from eksnetpol import __version__
from eksnetpol.cli.base import Group

_HERE = "eksnetpol.cli.commands"

COMMANDS = {
    "preflight": (f"{_HERE}.preflight", "Say whether a cluster can enforce network policy with the VPC CNI."),
    "enable": (f"{_HERE}.enable", "Turn network policy on, with a plan and a way back."),
    "upgrade": (f"{_HERE}.upgrade", "Upgrade the VPC CNI, one minor version at a time."),
    "disable": (f"{_HERE}.disable", "Turn network policy off in the order that leaves nothing behind."),
    "apply": (f"{_HERE}.apply", "Carry out a saved plan, unless the cluster has moved on."),
    "resume": (f"{_HERE}.resume", "Go on with a run that was interrupted."),
    "rollback": (f"{_HERE}.rollback", "Take back what a run did."),
    "restore": (f"{_HERE}.restore", "Put back the policies that a run backed up."),
    "history": (f"{_HERE}.history", "List the runs that changed clusters from here."),
    "show": (f"{_HERE}.show", "Show one run: its plan, and every line of its journal."),
    "status": (f"{_HERE}.status", "Say what is on: the two switches, every node, every version."),
    "render": (f"{_HERE}.render", "Write a change for the owner of the VPC CNI, instead of making it."),
    "policy": (f"{_HERE}.policy", "Say what network policies let through, exactly."),
    "migrate": (f"{_HERE}.migrate", "Leave another policy engine for the VPC CNI's own."),
    "snapshot": (f"{_HERE}.snapshot", "Save one look at a cluster, show it, or make it fit to share."),
    "checks": (f"{_HERE}.checks", "List the checks, or explain one."),
    "permissions": (f"{_HERE}.permissions", "Show or check the least permissions a command needs."),
    "schema": (f"{_HERE}.schema", "Print the JSON Schema of what this tool writes and reads."),
    "completion": (f"{_HERE}.completion", "Print the completion script of a shell."),
    "version": (f"{_HERE}.version", "Print the version."),
}
"""Module and line in --help of each command."""


@click.group(
    cls=Group,
    lazy=COMMANDS,
    examples=(
        ("look at a live cluster", "eksnetpol preflight --cluster shop --region eu-west-1"),
        ("look at manifests in a pipeline", "eksnetpol preflight --manifests k8s/ -o text -o sarif=eksnetpol.sarif"),
        ("why a check matters, and where its rule comes from", "eksnetpol checks explain controller-switch-is-on"),
    ),
)
@click.version_option(__version__, "--version", prog_name="eksnetpol", message="%(prog)s %(version)s")
def cli() -> None:
    """Turn on, prove and move to Kubernetes network policy on Amazon EKS, enforced by the Amazon VPC CNI.

    Most commands look, judge and report. Those that change a cluster show a plan and ask first, write down every step before it
    acts, and can be resumed and taken back.
    """
