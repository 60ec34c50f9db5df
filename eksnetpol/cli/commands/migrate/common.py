"""What the commands about translating share: which policies are meant, and what somebody has taken on."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from eksnetpol.cli.config import Config
from eksnetpol.cli.options import option
from eksnetpol.cli.terminal import Terminal

if TYPE_CHECKING:
    from eksnetpol.operations.migration import Source
    from eksnetpol.translation.values import Accepted

ENGINES = ("calico", "canal", "cilium", "antrea", "kube-router", "weave", "upstream")
FORMATS = ("text", "json", "yaml", "markdown", "junit", "sarif", "github", "html")
REPORTS = FORMATS[4:]
"""Formats in which what was found is a report, as that of preflight is."""

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
    help="Take on what a policy will let through more than before; repeatable. Or [[migration-waivers]] in eksnetpol.toml.",
)
"""A widening that somebody takes on by name."""

allowing = option(
    "--allow-cluster-policies",
    group="Verdict",
    is_flag=True,
    help="Write ClusterNetworkPolicies (networking.k8s.aws) too, where the cluster can enforce them and they say more.",
)
"""The other kind that policies may become."""

giving_up = option(
    "--waive",
    group="Verdict",
    metavar="LOSS=OWNER,UNTIL,REASON",
    multiple=True,
    help="Take on what goes with the engine; repeatable. Or [[migration-waivers]] in eksnetpol.toml.",
)
"""What goes with an engine, taken on by name."""


taking_on = option(
    "--waive",
    group="Guards",
    metavar="NAME=OWNER,UNTIL,REASON",
    multiple=True,
    help="Take on a policy that will let more through, or what goes with the engine; repeatable. Or [[migration-waivers]].",
)
"""A policy or a loss, taken on by name."""


def all_taken_on(ctx: click.Context, config: Config) -> tuple[tuple[Accepted, ...], tuple[str, ...]]:
    """Return what holds today of ``--waive`` and of ``eksnetpol.toml``, policies and losses alike, and notes; as `taken_on`."""
    from eksnetpol.translation import accepting

    here, notes = taken_on(ctx, config)
    kept, more = accepting.holding(accepting.written(config.settings.migration_waivers), datetime.now(UTC).date(), losses=True)
    named = {one.what for one in here}
    return (*here, *(one for one in kept if one.what not in named)), (*notes, *more)


def taken_on(ctx: click.Context, config: Config, *, losses: bool = False) -> tuple[tuple[Accepted, ...], tuple[str, ...]]:
    """Return what holds today of ``--waive`` and of ``eksnetpol.toml``, and notes on what no longer does.

    With *losses* what goes with an engine is meant, else policies. Raises `UsageError` for a mistake in either, and `Refused`
    for a ``--waive`` that has expired.
    """
    from eksnetpol.translation import accepting

    today = datetime.now(UTC).date()
    here = accepting.said(ctx.params["waive"], today, losses=losses)
    kept, notes = accepting.holding(accepting.written(config.settings.migration_waivers), today, losses=losses)
    named = {one.what for one in here}
    return (*here, *(one for one in kept if one.what not in named)), notes


def source(ctx: click.Context, config: Config, terminal: Terminal) -> Source:
    """Return the policies that are meant. Raises as `operations.migration` does."""
    from eksnetpol.cli.look import look
    from eksnetpol.operations.migration import source_of

    return source_of(look(config, terminal, ctx.command_path), ctx.params["engine"] or "")
