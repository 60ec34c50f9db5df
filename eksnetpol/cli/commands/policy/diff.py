"""``eksnetpol policy diff``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from eksnetpol.cli.base import Command
from eksnetpol.cli.config import Config, merge
from eksnetpol.cli.options import option
from eksnetpol.cli.outputs import STDOUT, settle, write
from eksnetpol.cli.policy_options import ending, meaning, policy_option, strictness
from eksnetpol.cli.terminal import Terminal

if TYPE_CHECKING:
    from eksnetpol.cli.policy_look import PolicyLook
    from eksnetpol.model.problems import Problem
    from eksnetpol.reporting.policy_diff import DiffPage

FAIL_ON = ("widened", "narrowed", "any", "never")


@click.command(
    "diff",
    cls=Command,
    short_help="Say which connections a change of policies adds and takes away.",
    exits=(0, 1, 2, 3, 70, 130),
    exit_words={0: "nothing that --fail-on is about", 1: "what --fail-on is about"},
    examples=(
        ("review a pull request by what it does", "eksnetpol policy diff main:k8s k8s --fail-on widened"),
        ("as a comment on it", "eksnetpol policy diff main:k8s k8s -o markdown=comment.md"),
        ("what has changed in a cluster", "eksnetpol policy diff monday.json.gz today.json.gz"),
        ("new policies on the pods of a cluster", "eksnetpol policy diff old/ new/ --on shop.json.gz"),
    ),
)
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@option(
    "--on",
    group="Question",
    metavar="STATE",
    help="Take pods, Services and namespaces from here for both sides, and only policies from A and B.",
)
@strictness
@meaning
@policy_option(
    "--fail-on",
    group="Verdict",
    setting="diff-fail-on",
    type=click.Choice(FAIL_ON),
    help="What ends with exit code 1; EKSNETPOL_DIFF_FAIL_ON as a variable.  [default: never]",
)
@ending("text", "json", "markdown", "junit")
@click.pass_context
def command(ctx: click.Context, /, before: str, after: str, on: str | None, **_flags: Any) -> int:
    """Say which connections state B has that A has not, and the other way round, by workload and by block outside.

    A and B are snapshots, files or directories of manifests (- for stdin), or REVISION:PATH of the Git repository around, such as
    main:k8s. Policies may be written anew altogether: only what flows is compared. Workloads that one side alone has are named,
    and not compared.
    """
    config = merge(ctx)
    terminal = config.terminal()
    if ctx.params["show_config"]:
        write(config.text())
        return 0
    outputs = settle(ctx.params["output"])
    page = _page(before, after, on, config, terminal)

    from eksnetpol.reporting import policy_diff

    for place in sorted(outputs, key=lambda o: o.file == STDOUT):
        match place.format:
            case "json":
                text = policy_diff.json(page)
            case "markdown":
                text = policy_diff.in_markdown(page)
            case "junit":
                text = policy_diff.junit(page)
            case _:
                color = terminal.colored if place.file == STDOUT else terminal.color == "always"
                text = policy_diff.text(page, terminal.width, color=color, verbose=terminal.verbose > 0)
        write(text, place.file)
    if page.is_failure:
        terminal.say(f"exit code 1: {page.sentence} (--fail-on {page.fail_on})")
    return 1 if page.is_failure else 0


def _page(before: str, after: str, on: str | None, config: Config, terminal: Terminal) -> DiffPage:
    from eksnetpol.errors import UsageError
    from eksnetpol.gateways.collector_pause import collector_paused
    from eksnetpol.operations.policies import diff, on_ground
    from eksnetpol.reporting.policy_diff import DiffPage

    if [before, after, on].count("-") > 1:
        raise UsageError("- stands for stdin, and can be read only once")
    with collector_paused():
        sides = [_read(word, config, terminal, whole=not on) for word in (before, after)]
        ground = _read(on, config, terminal, whole=False) if on else None
        worlds = [on_ground(s.world, ground.world) if ground else s.world for s in sides]
        profiles, notes = _profiles(sides, ground)
        for name, world in zip((before, after), worlds, strict=True):
            if not world.pods:
                raise UsageError(f"{on or name}: there are no pods or workloads in it; --on STATE names where they are")
        found = diff(worlds[0], worlds[1], profiles)
    return DiffPage(found, (before, after), profiles, config.settings.policy.diff_fail_on, notes)


def _read(word: str, config: Config, terminal: Terminal, *, whole: bool) -> PolicyLook:
    from eksnetpol.cli.policy_look import looked, said
    from eksnetpol.cli.progress import busy
    from eksnetpol.gateways.states import read_state

    with busy(terminal, f"reading {'stdin' if word == '-' else word}"):
        problems: list[Problem] = []
        snapshot = read_state(word, lambda note: terminal.say(f"note: {note}"), problems.append)
    return said(looked(snapshot, config, problems), terminal, whole=whole)


def _profiles(sides: list[PolicyLook], ground: PolicyLook | None) -> Any:
    """Return under which meanings to compare: what a cluster tells goes before what is assumed for files."""
    if ground is not None:
        return (ground.profile, ground.profile), ()
    telling = [s for s in sides if s.title]
    first, second = ((s if s.title else (telling or sides)[0]).profile for s in sides)
    notes = (f"A is under {_told(first)}, B under {_told(second)}",) if first != second else ()
    return (first, second), notes


def _told(profile: Any) -> str:
    return f"agent {profile.agent}, controller {profile.controller}, {profile.mode} mode, {profile.family}"
