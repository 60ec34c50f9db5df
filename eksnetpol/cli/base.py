"""Commands, groups and options as every command of this tool has them: one look of --help, one rule for variables."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

ENV_PREFIX = "EKSNETPOL_"
WIDEST_HELP = 100
_COLUMN = 28

EXITS: Mapping[int, str] = {
    0: "done",
    1: "findings",
    2: "wrong usage or configuration, an unreadable file, an output that cannot be written",
    3: "could not be determined: a missing permission, an unreachable API, a partial look",
    4: "a change failed",
    5: "timed out; the state is known",
    6: "refused by a guard: the kubeconfig belongs to another cluster than the one named",
    7: "changes are pending",
    70: "a bug of eksnetpol; run again with --debug and report it",
    130: "interrupted (Ctrl-C); nothing was changed",
}

CONTEXT = {"max_content_width": WIDEST_HELP}
HELP = ["-h", "--help"]


class Option(click.Option):
    """An option that a variable can give: ``--fail-on`` is ``EKSNETPOL_FAIL_ON``. ``group`` is its heading in --help.

    ``table`` is the table of ``eksnetpol.toml`` that it stands in, where it has one of its own. ``setting`` is its name there
    and in the variable, where the same flag of another command means something else.
    """

    def __init__(self, *args: Any, group: str = "Options", table: str = "", setting: str = "", **kwargs: Any) -> None:
        self.group, self.table, self.setting = group, table, setting
        super().__init__(*args, **kwargs)
        self.envvar = ENV_PREFIX + self.key.replace("-", "_").upper()

    @property
    def key(self) -> str:
        """The long name without dashes: the option's line in ``eksnetpol.toml``."""
        return self.setting or max(self.opts, key=len).lstrip("-")

    def get_help_extra(self, ctx: click.Context) -> Any:
        """Return what stands in brackets after the help: the range of a number speaks for itself when it is left."""
        extra = super().get_help_extra(ctx)
        extra.pop("range", None)
        return extra

    def value_from_envvar(self, ctx: click.Context) -> Any:
        """Return what the variable says; several values stand apart by commas or blanks."""
        if not self.multiple:
            return super().value_from_envvar(ctx)
        text = self.resolve_envvar_value(ctx)
        return None if text is None else tuple(part for part in re.split(r"[,\s]+", text) if part)


class Command(click.Command):
    """A command whose --help has examples, grouped options, exit codes and variables.

    *examples* are pairs of what it does and the words to type; *exits* the exit codes it can end with; *greedy* the options
    that take every following word, so that ``--manifests a b`` is what it looks like. *exit_words* are for a command whose
    exit codes mean something of their own.
    """

    def __init__(
        self,
        *args: Any,
        examples: Sequence[tuple[str, str]] = (),
        exits: Iterable[int] = (0, 2, 70),
        exit_words: Mapping[int, str] | None = None,
        environment: Sequence[tuple[str, str]] = (),
        greedy: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        kwargs["context_settings"] = CONTEXT | (kwargs.get("context_settings") or {})
        super().__init__(*args, **kwargs)
        self.examples = examples
        self.exits = {code: EXITS[code] for code in exits} | dict(exit_words or {})
        self.environment = environment
        self.greedy = greedy

    def get_help_option_names(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return what asks for this page."""
        return HELP

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse *args*, each word after a greedy option being one more value of it."""
        return super().parse_args(ctx, spread(args, self.greedy))

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the whole page."""
        self.format_usage(ctx, formatter)
        self.format_help_text(ctx, formatter)
        _write_examples(self.examples, formatter)
        self.format_arguments(ctx, formatter)
        self.format_options(ctx, formatter)
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), words) for code, words in sorted(self.exits.items())])
        self._write_environment(formatter)

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """Write the description from the margin on."""
        formatter.write_paragraph()
        formatter.write_text(inspect.cleandoc(self.help or ""))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options under their headings, in the order they were declared."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record and isinstance(param, click.Option):
                groups.setdefault(param.group if isinstance(param, Option) else "General", []).append(record)
        for title, records in groups.items():
            with formatter.section(title):
                # One width for all, so that the page is two columns and not as many as it has headings.
                formatter.write_dl([(name.ljust(_COLUMN), words) for name, words in records], col_max=_COLUMN)

    def _write_environment(self, formatter: click.HelpFormatter) -> None:
        named = next((p for p in self.params if isinstance(p, Option) and p.group != "General"), None)
        named = named or next((p for p in self.params if isinstance(p, Option)), None)
        rows = list(self.environment)
        if named:
            rows.insert(0, (f"{ENV_PREFIX}<OPTION>", f"any option above, e.g. {named.envvar} for --{named.key}"))
        if rows:
            with formatter.section("Environment"):
                formatter.write_dl(rows)


class Group(click.Group):
    """Commands that are imported when they are called. *lazy* tells name, module and the line in the list of commands."""

    command_class = Command

    def __init__(
        self,
        *args: Any,
        lazy: Mapping[str, tuple[str, str]] | None = None,
        examples: Sequence[tuple[str, str]] = (),
        **kwargs: Any,
    ) -> None:
        kwargs["context_settings"] = CONTEXT | (kwargs.get("context_settings") or {})
        kwargs.setdefault("subcommand_metavar", "COMMAND [ARGS]...")
        super().__init__(*args, **kwargs)
        self.lazy = lazy or {}
        self.examples = examples

    def get_help_option_names(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return what asks for this page."""
        return HELP

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names of the commands, in the order they are worth reading."""
        return [*self.lazy, *self.commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, having imported its module."""
        if cmd_name in self.lazy:
            module = importlib.import_module(self.lazy[cmd_name][0])
            command: click.Command = module.command
            return command
        return super().get_command(ctx, cmd_name)

    def short_helps(self) -> dict[str, str]:
        """Return the line of each command in the list, without importing any."""
        lines = {name: line for name, (_, line) in self.lazy.items()}
        return lines | {name: command.get_short_help_str(limit=WIDEST_HELP) for name, command in self.commands.items()}

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse *args*; options for every command may stand before the command's name and are handed on to it."""
        return super().parse_args(ctx, _hand_on(args))

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that *args* call; raise `click.exceptions.NoSuchCommand` with the nearest name."""
        if not ctx.resilient_parsing and not args[0].startswith("-") and args[0] not in self.list_commands(ctx):
            raise click.exceptions.NoSuchCommand(args[0], possibilities=self.list_commands(ctx), ctx=ctx)
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return commands and options that begin with *incomplete*."""
        from click.shell_completion import CompletionItem

        names = [CompletionItem(n, help=h) for n, h in self.short_helps().items() if n.startswith(incomplete)]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the whole page."""
        self.format_usage(ctx, formatter)
        formatter.write_paragraph()
        formatter.write_text(inspect.cleandoc(self.help or ""))
        _write_examples(self.examples, formatter)
        with formatter.section("Commands"):
            formatter.write_dl(list(self.short_helps().items()))
        with formatter.section("Options"):
            formatter.write_dl([r for p in self.get_params(ctx) if (r := p.get_help_record(ctx))])
        formatter.write_paragraph()
        formatter.write_text(f"`{ctx.command_path} COMMAND --help` says more, with examples.")


def _write_examples(examples: Sequence[tuple[str, str]], formatter: click.HelpFormatter) -> None:
    if not examples:
        return
    with formatter.section("Examples"):
        for number, (what, words) in enumerate(examples):
            if number:
                formatter.write_paragraph()
            formatter.write_text(f"# {what}")
            formatter.write(" " * formatter.current_indent + words + "\n")


def spread(args: Sequence[str], greedy: Sequence[str]) -> list[str]:
    """Repeat a greedy option before each of the words that follow it, up to the next option; after ``--`` to the end."""
    result: list[str] = []
    current, values, rest = "", 0, False
    for arg in args:
        name, equals, _ = arg.partition("=")
        if not rest and (name in greedy or (arg.startswith("-") and arg not in {"-", "--"})):
            _must_have_value(current, values)
            current, values = (name, 0) if name in greedy else ("", 0)
            if not current:
                result.append(arg)
            elif equals:
                result.append(arg)
                values = 1
        elif current and not rest and arg == "--":
            rest = True
        elif current:
            result.append(f"{current}={arg}")
            values += 1
        else:
            result.append(arg)
    _must_have_value(current, values)
    return result


def _must_have_value(name: str, values: int) -> None:
    if name and not values:
        raise click.BadOptionUsage(name, f"Option {name!r} requires an argument.")


_FLAGS = frozenset({"-v", "-vv", "-vvv", "--verbose", "-q", "--quiet", "--debug", "--no-input"})
_VALUED = frozenset({"--color", "--width"})


def _hand_on(args: Sequence[str]) -> list[str]:
    """Move the general options that stand before a command's name behind it."""
    early: list[str] = []
    for place, arg in enumerate(args):
        if arg in _FLAGS or arg.split("=", 1)[0] in _VALUED or (place and args[place - 1] in _VALUED):
            early.append(arg)
            continue
        return [arg, *early, *args[place + 1 :]] if not arg.startswith("-") else list(args)
    return list(args)
