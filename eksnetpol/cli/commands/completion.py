"""``eksnetpol completion``."""

from __future__ import annotations

from typing import Any

import click
from click.shell_completion import get_completion_class

from eksnetpol.cli.base import Command
from eksnetpol.cli.options import SHELLS, general
from eksnetpol.cli.outputs import write


@click.command(
    "completion",
    cls=Command,
    short_help="Print the completion script of a shell.",
    examples=(
        ("bash 4.4 or later, for every new shell", "eksnetpol completion bash >> ~/.bashrc"),
        ("zsh: in ~/.zshrc, after compinit", "source <(eksnetpol completion zsh)"),
        ("fish", "eksnetpol completion fish > ~/.config/fish/completions/eksnetpol.fish"),
    ),
)
@click.argument("shell", type=click.Choice(SHELLS))
@general
@click.pass_context
def command(ctx: click.Context, /, shell: str, **_flags: Any) -> None:
    """Print the script that completes commands, options, formats, contexts and the ids of checks in SHELL.

    The script asks eksnetpol itself, so it stays right when eksnetpol is upgraded; an answer takes as long as --help.
    """
    from eksnetpol.cli.entry import COMPLETION

    made = get_completion_class(shell)
    if made is None:
        raise click.UsageError(f"no completion for {shell}")
    script = made(ctx.find_root().command, {}, "eksnetpol", COMPLETION)
    write(script.source_template % script.source_vars() + "\n")
