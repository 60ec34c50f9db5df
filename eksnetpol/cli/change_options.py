"""The options that the commands which change a cluster share."""

from __future__ import annotations

import re
from typing import Any

import click

from eksnetpol.cli.base import Command
from eksnetpol.cli.config import configuration
from eksnetpol.cli.options import Duration, F, general, option, together
from eksnetpol.cli.outputs import output_option

FAR = "How far to go"
FORMATS = ("text", "json", "yaml", "markdown")

EXIT_WORDS = {
    0: "done, or nothing to do",
    3: "could not be determined: a missing permission, an unreachable API; nothing was changed",
    4: "a change failed; `eksnetpol resume` goes on, `eksnetpol rollback` goes back",
    5: "timed out or interrupted; the state is known, and `eksnetpol resume` goes on",
    6: "refused by a guard: a foreign owner, a blocker, a stale plan, another run under way, another cluster",
    7: "changes are pending (--detailed-exitcode)",
}
EXITS = (0, 2, 3, 4, 5, 6, 7, 70, 130)

ENVIRONMENT = (
    ("AWS_*, KUBECONFIG", "as the AWS CLI and kubectl read them"),
    ("XDG_STATE_HOME", "runs are kept under eksnetpol/runs there; else under ~/.local/state"),
    ("NO_COLOR, COLUMNS, CI", "no colour; the width of text; no moving progress"),
)


class SettingType(click.ParamType[tuple[str, str]]):
    """``KEY=VALUE``, the key a dotted path of the add-on's configuration."""

    name = "KEY=VALUE"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:  # noqa: ARG002 - click's signature
        """Return what stands behind the option in --help."""
        return self.name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Return key and value."""
        if isinstance(value, tuple):
            return value
        key, equals, text = str(value).partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)*", key):
            self.fail(f"{value!r} is no KEY=VALUE such as nodeAgent.logLevel=info", param, ctx)
        return key, text


state_dir = option(
    "--state-dir",
    group="Runs",
    metavar="DIR",
    help="Where runs are kept.  [default: $XDG_STATE_HOME/eksnetpol/runs]",
)
"""Where runs are kept."""

resolve_conflicts = option(
    "--resolve-conflicts",
    group="The change",
    type=click.Choice(("none", "preserve", "overwrite")),
    help="What EKS does about fields that others own.  [default: what the plan finds to lose nothing]",
)
"""EKS's three ways of resolving conflicts."""

take_over = option(
    "--take-over",
    group="Guards",
    is_flag=True,
    help="Change what Helm, GitOps or infrastructure code owns; its owner has to be told, or will change it back.",
)
"""A foreign owner is no reason to stop."""

ignoring = option(
    "--ignore",
    group="Guards",
    metavar="ID",
    multiple=True,
    help="Preflight checks that do not stop the change: ids or families, with * and ?.",
)
"""Checks whose findings do not stop the change."""

unknowns = option(
    "--fail-on-unknown/--no-fail-on-unknown",
    group="Guards",
    default=None,
    help="Whether what preflight could not tell stops the change.  [default: yes]",
)
"""What could not be told stops the change."""

confirming = option("--yes", "-y", "yes", group=FAR, is_flag=True, help="Do not ask; never means --take-over or --ignore.")
"""Do not ask."""

waiting = together(
    option("--wait/--no-wait", "wait", group=FAR, default=True, help="Wait until every step holds.  [default: --wait]"),
    option(
        "--timeout",
        group=FAR,
        type=Duration(),
        metavar="TIME",
        help="Longest time for all of it, e.g. 30m.  [default: each step has its own]",
    ),
)
"""How long."""

going = together(
    option(
        "--confirm",
        group=FAR,
        metavar="DOOR",
        multiple=True,
        help="Go through this one-way door of a migration, as the plan names it; repeatable. Else the run stops before it.",
    ),
    option("--until", group=FAR, metavar="PHASE", help="Begin nothing after this phase of a migration, e.g. 6 or exit."),
)
"""How far a migration goes."""

reach = together(
    option("--plan", "plan_only", group=FAR, is_flag=True, help="Show the plan and stop."),
    option("--out", group=FAR, metavar="FILE", help="Save the plan, for `eksnetpol apply FILE`."),
    option("--simulate", group=FAR, is_flag=True, help="Carry the plan out on a copy of the cluster in memory."),
    option(
        "--dry-run",
        group=FAR,
        type=click.Choice(("client", "server")),
        help="client: as --plan. server: ask the API server what it would say to every write.",
    ),
    confirming,
    waiting,
    option("--detailed-exitcode", group=FAR, is_flag=True, help="With --plan: end with 7 when there is something to do."),
)
"""How far a command goes."""


def endings(function: F) -> F:
    """Declare where the plan goes, and the options every command has."""
    return together(output_option(*FORMATS), state_dir, configuration, general)(function)


class ChangeCommand(Command):
    """A command that changes a cluster: its exit codes mean what they say in `EXIT_WORDS`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("exits", EXITS)
        kwargs["exit_words"] = EXIT_WORDS | dict(kwargs.get("exit_words") or {})
        kwargs.setdefault("environment", ENVIRONMENT)
        super().__init__(*args, **kwargs)
