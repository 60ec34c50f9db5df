"""The options that the commands of ``eksnetpol policy`` share.

A flag that may stand in ``eksnetpol.toml`` is declared with `policy_option` and has a field in `PolicySettings`; any other is
declared with `option` and lives in the command's own parameters alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from eksnetpol.cli.config import configuration
from eksnetpol.cli.options import general, option, sources, target, together
from eksnetpol.cli.outputs import output_option

F = TypeVar("F", bound=Callable[..., Any])

MEANING = "Meaning"
GREEDY = ("--manifests",)
"""What `Command` is to be told of these options."""

EXITS = (0, 1, 2, 3, 6, 70, 130)
"""Exit codes that a command which looks at a cluster can end with."""

ENVIRONMENT = (
    ("AWS_*, KUBECONFIG", "as the AWS CLI and kubectl read them"),
    ("NO_COLOR, COLUMNS", "no colour; the width of text"),
)


class ReleaseType(click.ParamType[str]):
    """A release as people write it: ``1.2.7`` or ``v1.2.7-eksbuild.1``."""

    name = "RELEASE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return *value*, once it is known to be a release."""
        from eksnetpol.model.versions import Release

        if Release.try_parse(str(value)) is None:
            self.fail(f"{value!r} is no release such as v1.2.7", param, ctx)
        return str(value)


def policy_option(*names: str, group: str = MEANING, **kwargs: Any) -> Callable[[F], F]:
    """Declare an option that may stand in the table ``[policy]`` of ``eksnetpol.toml``."""
    return option(*names, group=group, table="policy", **kwargs)


semantics = policy_option(
    "--semantics",
    type=click.Choice(("kubernetes", "vpc-cni", "calico", "cilium", "antrea")),
    help="Whose meaning of a policy: the API's, what controller and agent of the VPC CNI do, or that of another engine, "
    "whose own policies then hold too.  [default: vpc-cni]",
)
"""Whose meaning counts."""

controller_release = policy_option(
    "--controller-version",
    type=ReleaseType(),
    metavar="RELEASE",
    help="Release of the network policy controller, which a cluster does not tell.  [default: the newest known]",
)
"""Of which release of the controller."""

releases = together(
    controller_release,
    policy_option(
        "--agent-version",
        type=ReleaseType(),
        metavar="RELEASE",
        help="Release of the network policy agent.  [default: the cluster's, else the newest known]",
    ),
    policy_option(
        "--mode",
        type=click.Choice(("standard", "strict")),
        help="Whether pods without policies are open or closed.  [default: the cluster's, else standard]",
    ),
    policy_option(
        "--ip-family",
        type=click.Choice(("ipv4", "ipv6")),
        help="Family of pod addresses.  [default: the cluster's, else ipv4]",
    ),
)
"""Of which releases, and in which mode."""

meaning = together(semantics, releases)
"""Under which meaning a question is asked."""

strictness = policy_option(
    "--strict-input",
    is_flag=True,
    default=None,
    help="End with 2 when a policy is malformed, instead of leaving it out.",
)
"""What to do about malformed policies."""

comparison = policy_option(
    "--compare-semantics",
    is_flag=True,
    default=None,
    help="Say as well where kubernetes (or another engine) and vpc-cni differ, with a case that shows it.",
)
"""Whether to ask under both meanings."""


def inputs(function: F) -> F:
    """Declare what to look at, and what to do about malformed policies."""
    return together(sources, target, strictness)(function)


def ending(*formats: str) -> Callable[[F], F]:
    """Declare where the answer goes, in one of *formats*, and the options that every command has."""
    return together(output_option(*formats), configuration, general)
