"""``eksnetpol checks``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from eksnetpol.cli.base import Group
from eksnetpol.cli.options import INTENTS, CheckId, general, option
from eksnetpol.cli.outputs import Output, output_option, settle, write
from eksnetpol.cli.terminal import Terminal
from eksnetpol.errors import UsageError

if TYPE_CHECKING:
    from eksnetpol.checks.declare import Check

_FORMATS = ("text", "json", "yaml", "markdown")


class Family(click.ParamType[str]):
    """The name of a family of checks."""

    name = "FAMILY"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002
        """Return the families that begin with *incomplete*."""
        from eksnetpol.checks.catalog import catalog

        return [CompletionItem(name) for name in sorted({c.family for c in catalog()}) if name.startswith(incomplete)]


@click.group(
    "checks",
    cls=Group,
    short_help="List the checks, or explain one.",
    examples=(
        ("all checks that are asked before enabling", "eksnetpol checks list --for enable"),
        ("the reason and the sources of one", "eksnetpol checks explain controller-switch-is-on"),
    ),
)
def command() -> None:
    """List the checks that `preflight` asks, or explain one of them."""


@command.command(
    "list",
    short_help="List the checks by family.",
    examples=(
        ("every check", "eksnetpol checks list"),
        ("those of one family, when leaving another engine", "eksnetpol checks list --family coexistence --for migrate"),
        ("for a program", "eksnetpol checks list -o json | jq -r '.[].id'"),
    ),
)
@option("--family", group="Choice", type=Family(), metavar="FAMILY", help="Only this family.")
@option("--for", "intent", group="Choice", type=click.Choice(INTENTS), help="Only what is asked for this change.")
@output_option(*_FORMATS)
@general
def list_(family: str | None, intent: str | None, output: tuple[Output, ...], **flags: Any) -> None:
    """List the checks by family: severity, id, and what holds in a healthy cluster."""
    from eksnetpol.checks.catalog import catalog
    from eksnetpol.cli.catalogue import document, listing, markdown

    terminal = Terminal.of(flags)
    outputs = settle(output)
    checks = catalog()
    if family is not None:
        _must_be_one_of(family, sorted({c.family for c in checks}), "family", "--family")
    wanted = [c for c in checks if (family is None or c.family == family) and (intent is None or intent in c.intents)]
    for place in outputs:
        match place.format:
            case "text":
                write(listing(wanted, terminal.width), place.file)
            case "markdown":
                write(markdown(wanted), place.file)
            case _:
                write(_data([document(c) for c in wanted], place.format), place.file)


@command.command(
    "explain",
    short_help="Say why a check is asked, what it reads and where its rule is from.",
    examples=(
        ("as a page", "eksnetpol checks explain kubernetes-version-supports-policy"),
        ("for a program", "eksnetpol checks explain controller-switch-is-on -o yaml"),
    ),
)
@click.argument("check_id", metavar="ID", type=CheckId())
@output_option(*_FORMATS[:3])
@general
def explain_(check_id: str, output: tuple[Output, ...], **flags: Any) -> None:
    """Say why the check ID is asked, what it reads, which permissions that takes, and where its rule is from.

    Also how a finding of it can be accepted: in eksnetpol.toml, or by an annotation on the object itself.
    """
    from eksnetpol.cli.catalogue import document, explain

    terminal = Terminal.of(flags)
    outputs = settle(output)
    check = _find(check_id)
    for place in outputs:
        text = explain(check, terminal.width) if place.format == "text" else _data(document(check), place.format)
        write(text, place.file)


def _find(name: str) -> Check:
    from eksnetpol.checks.catalog import catalog

    checks = {check.id: check for check in catalog()}
    wanted = name.replace("_", "-")
    _must_be_one_of(wanted, list(checks), "check", "ID")
    return checks[wanted]


def _must_be_one_of(name: str, known: list[str], what: str, where: str) -> None:
    if name in known:
        return
    import difflib

    close = difflib.get_close_matches(name, known, n=3) or [k for k in known if name in k][:3]
    hint = f"did you mean {' or '.join(close)}?" if close else "`eksnetpol checks list` prints all of them"
    raise UsageError(f"{where}: there is no {what} {name!r}; {hint}")


def _data(value: Any, form: str) -> str:
    if form == "yaml":
        import yaml

        return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=120)
    import json

    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
