"""What the commands about translating share: which policies are meant, and what somebody has taken on."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from eksnetpol.cli.config import Config
from eksnetpol.cli.options import option
from eksnetpol.cli.terminal import Terminal

if TYPE_CHECKING:
    from eksnetpol.operations.migration import Accepted, Source

ENGINES = ("calico", "canal", "cilium", "antrea", "kube-router", "weave", "upstream")
FORMATS = ("text", "json", "yaml", "markdown")

leaving = option(
    "--from",
    "engine",
    group="Question",
    type=click.Choice(ENGINES),
    help="Whose policies these are.  [default: those of the engine that runs, or that the files hold]",
)
"""The engine to leave."""

waiving = option(
    "--waive",
    group="Verdict",
    metavar="POLICY=OWNER,UNTIL,REASON",
    multiple=True,
    help="Take on what a policy will let through more than before; may be repeated.",
)
"""A widening that somebody takes on by name."""


def source(ctx: click.Context, config: Config, terminal: Terminal) -> tuple[Source, tuple[Accepted, ...]]:
    """Return the policies that are meant, and what is waived. Raises as `operations.migration` does."""
    from eksnetpol.cli.look import look
    from eksnetpol.operations.migration import accepted, source_of

    waivers = accepted(ctx.params["waive"], datetime.now(UTC).date())
    return source_of(look(config, terminal, ctx.command_path), ctx.params["engine"] or ""), waivers
