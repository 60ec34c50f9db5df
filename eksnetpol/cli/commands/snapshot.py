"""``eksnetpol snapshot``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from eksnetpol.cli.base import Group
from eksnetpol.cli.config import configuration, merge
from eksnetpol.cli.options import general, option, target
from eksnetpol.cli.outputs import Output, output_option, settle, write
from eksnetpol.cli.terminal import Terminal
from eksnetpol.errors import UsageError

_SHORTEST_SALT = 16


@click.group(
    "snapshot",
    cls=Group,
    short_help="Save one look at a cluster, show it, or make it fit to share.",
    examples=(
        ("take one", "eksnetpol snapshot save shop.json.gz --cluster shop --region eu-west-1"),
        ("ask it, anywhere and without any access", "eksnetpol preflight --snapshot shop.json.gz"),
        ("rename what is in it, and give it to somebody else", "eksnetpol snapshot redact shop.json.gz shared.json.gz"),
    ),
)
def command() -> None:
    """Save one look at a cluster, show what it holds, or make it fit to share.

    A snapshot answers every check as the cluster did, on another machine, without any access. Secrets are never in it, nor
    environment values or tokens.
    """


@command.command(
    "save",
    short_help="Look at a live cluster and save what was seen.",
    exits=(0, 2, 3, 6, 70, 130),
    examples=(
        ("by the AWS credentials at hand", "eksnetpol snapshot save shop.json.gz --cluster shop --region eu-west-1"),
        ("through a kubeconfig", "eksnetpol snapshot save shop.json.gz --context shop"),
        ("to somebody else's disk", "eksnetpol snapshot save - --cluster shop | ssh desk 'cat > shop.json'"),
    ),
    environment=(("AWS_*, KUBECONFIG", "as the AWS CLI and kubectl read them"),),
)
@click.argument("file")
@target
@configuration
@general
@click.pass_context
def save(ctx: click.Context, /, file: str, **_flags: Any) -> int:
    """Look at a live cluster once and save what was seen in FILE: gzipped when its name ends in .gz; - is stdout.

    Permissions that are missing do not end it: the snapshot says which sections could not be read, and why. An existing file
    is replaced, once the new one is whole.
    """
    config = merge(ctx)
    terminal = config.terminal()
    if ctx.params["show_config"]:
        write(config.text())
        return 0
    if file != "-":
        _must_be_writable(file)

    from eksnetpol.cli.look import look_live
    from eksnetpol.gateways import snapshot_file
    from eksnetpol.model.snapshot import SECTIONS, unread_sections

    snapshot = look_live(config.settings, terminal)
    snapshot_file.save(snapshot, file)
    unread = unread_sections(snapshot)
    read = f"{len(SECTIONS) - len(unread)} of {len(SECTIONS)} sections"
    hint = f"; `eksnetpol snapshot show {file}` says why not all" if unread and file != "-" else ""
    terminal.say(f"saved {snapshot.target.title} in {'stdout' if file == '-' else file}: {read}{hint}")
    return 0


@command.command(
    "show",
    short_help="Say what a snapshot holds, and what could not be read.",
    examples=(
        ("as a page", "eksnetpol snapshot show shop.json.gz"),
        ("the names of what is missing", "eksnetpol snapshot show shop.json.gz -o json | jq '.unread'"),
    ),
)
@click.argument("file")
@output_option("text", "json", "yaml", "markdown")
@general
def show(file: str, output: tuple[Output, ...], **flags: Any) -> None:
    """Say what the snapshot FILE holds: of which cluster, how old, how much of what, and what could not be read and why."""
    from eksnetpol.cli.look import in_words
    from eksnetpol.cli.progress import busy
    from eksnetpol.cli.summary import render, summary
    from eksnetpol.gateways.snapshot_file import load

    terminal = Terminal.of(flags)
    outputs = settle(output)
    with busy(terminal, f"reading {in_words(file)}"):
        found = summary(load(file))
    for place in outputs:
        write(render(found, place.format, terminal.width), place.file)


@command.command(
    "redact",
    short_help="Rename what is in a snapshot, so that it can be shared.",
    examples=(
        ("names that nobody can guess back", "eksnetpol snapshot redact shop.json.gz shared.json.gz"),
        (
            "the same names each time, to compare",
            "eksnetpol snapshot redact shop.json.gz shared.json.gz --salt-file ~/.salt",
        ),
    ),
)
@click.argument("file")
@click.argument("to")
@option(
    "--salt-file",
    group="Names",
    metavar="FILE",
    help="What the new names are made from, at least 16 bytes; keep it to yourself. Else random: other names each time.",
)
@general
def redact(file: str, to: str, salt_file: str | None, **flags: Any) -> None:
    """Write the snapshot FILE anew to TO, with everything renamed that tells whose it is; - is stdin, or stdout.

    Names, accounts, addresses and images of your own become others, the same one everywhere, so that every check still gives
    the same answer on it. What every EKS cluster has keeps its name, and so does a word that says nothing of whose it is, such
    as web, api or legacy: look through the file before you share it.
    """
    from eksnetpol.cli.look import in_words
    from eksnetpol.cli.progress import busy
    from eksnetpol.gateways import snapshot_file
    from eksnetpol.model.redaction import redact as renamed

    terminal = Terminal.of(flags)
    salt = _salt(salt_file)
    if to != "-":
        _must_be_writable(to)
        if file != "-" and Path(to).exists() and Path(file).exists() and Path(file).samefile(to):
            raise UsageError(f"{to}: is the snapshot itself; write the redacted one to another file")
    with busy(terminal, f"redacting {in_words(file)}"):
        snapshot_file.save(renamed(snapshot_file.load(file), salt=salt), to)
    terminal.say(f"redacted {in_words(file)} into {'stdout' if to == '-' else to}; look through it before you share it")


def _salt(file: str | None) -> bytes:
    if file is None:
        import secrets

        return secrets.token_bytes(32)
    try:
        salt = Path(file).read_bytes()
    except OSError as error:
        raise UsageError(f"{file}: the salt cannot be read: {error.strerror or error}") from error
    if len(salt) < _SHORTEST_SALT:
        raise UsageError(f"{file}: holds {len(salt)} bytes; a salt that cannot be guessed has {_SHORTEST_SALT} or more")
    return salt


def _must_be_writable(file: str) -> None:
    path = Path(file)
    if path.is_dir():
        raise UsageError(f"{file}: is a directory; name a file in it, e.g. {path / 'snapshot.json.gz'}")
    if not path.parent.is_dir():
        raise UsageError(f"{file}: there is no directory {str(path.parent)!r}; make it first")
