"""Which cluster, snapshot or files are meant, and one look at them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from eksnetpol.cli.config import Config, Level
from eksnetpol.cli.progress import busy, watching
from eksnetpol.cli.terminal import Terminal
from eksnetpol.errors import UsageError

if TYPE_CHECKING:
    from eksnetpol.gateways.manifest_objects import Tell
    from eksnetpol.gateways.session import Connection, TargetOptions
    from eksnetpol.model.settings import Settings
    from eksnetpol.model.snapshot import ClusterSnapshot

_WHICH = ("target.cluster", "target.kubeconfig", "target.context")
_KINDS = {"--snapshot": ("snapshot",), "--manifests": ("manifests",), "a live cluster": _WHICH}

NOTHING_GIVEN = """\
there is nothing to look at: no --cluster, --snapshot or --manifests was given, and there is no kubeconfig
  {command} --cluster NAME --region REGION    a live cluster
  {command} --snapshot FILE                   what `eksnetpol snapshot save` wrote
  {command} --manifests DIRECTORY             Kubernetes manifests; - for stdin"""

NO_CLUSTER = "no --cluster NAME --region REGION was given, and there is no kubeconfig; give either, or --kubeconfig FILE"


_last: list[ClusterSnapshot] = []
# Held until the process ends, which is sooner when nothing is taken apart before.


def look(
    config: Config, terminal: Terminal, command: str = "eksnetpol preflight", problems: Tell | None = None
) -> ClusterSnapshot:
    """Return what there is to see at the one place that *config* means. *command* is what the person typed to ask.

    With *problems* what is malformed in manifests is left out, and *problems* is told. Raises `UsageError` when *config* means
    none or several, and what the place itself raises.
    """
    _last[:] = [_look(config, terminal, command, problems)]
    return _last[0]


def _look(config: Config, terminal: Terminal, command: str, problems: Tell | None) -> ClusterSnapshot:
    settings = config.settings
    match source(config):
        case "--snapshot":
            from eksnetpol.gateways.snapshot_file import load, load_sound

            file = settings.snapshot or ""
            with busy(terminal, f"reading {in_words(file)}"):
                return load(file) if problems is None else load_sound(file, problems)
        case "--manifests":
            from eksnetpol.gateways.manifest_files import read_manifests

            notes: list[str] = []
            with busy(terminal, f"reading {in_words(*settings.manifests)}"):
                stdin = sys.stdin.buffer if sys.stdin else None
                snapshot = read_manifests(
                    settings.manifests, stdin, notes.append, any_file=settings.any_file, problems=problems
                )
            for note in notes:
                terminal.say(f"note: {note}")
            return snapshot
        case _:
            return look_live(settings, terminal, NOTHING_GIVEN.format(command=command))


def source(config: Config) -> str:
    """Return the one kind of source that *config* means: what a flag names goes before a variable, that before the file."""
    levels = {kind: config.level(*keys) for kind, keys in _KINDS.items()}
    highest = max(levels.values())
    if highest is Level.DEFAULT:
        return "a live cluster"
    named = [kind for kind, level in levels.items() if level is highest]
    stray = sorted(k for k, s in config.said.items() if k.startswith("target.") and s.level is Level.FLAG)
    if len(named) == 1 and named[0] != "a live cluster" and stray:
        flags = ", ".join(config.said[key].words for key in stray)
        raise UsageError(f"{flags} is about a live cluster, and {named[0]} about files; give one of them")
    if len(named) > 1:
        words = [config.said[k].words for kind in named for k in _KINDS[kind] if k in config.said]
        raise UsageError(f"{' and '.join(words)} mean different things to look at; give one of them")
    return named[0]


def look_live(settings: Settings, terminal: Terminal, otherwise: str = NO_CLUSTER) -> ClusterSnapshot:
    """Return one look at the live cluster that *settings* mean; *otherwise* is what to say where they mean none."""
    from eksnetpol.gateways.collect import collect

    connection = connect_live(settings, terminal, otherwise)
    with watching(terminal, f"looking at {connection.target.title}") as observer:
        return collect(connection, observer)


def connect_live(settings: Settings, terminal: Terminal, otherwise: str = NO_CLUSTER) -> Connection:
    """Return the doors to the live cluster that *settings* mean; raise `UsageError(otherwise)` where they mean none."""
    from eksnetpol.gateways.session import connect

    options = target_options(settings)
    if not (options.cluster or options.context or options.kubeconfig) and not has_kubeconfig():
        raise UsageError(otherwise)
    if terminal.no_input:
        refuse_input()
    with busy(terminal, f"connecting to {options.cluster or options.context or 'the current context'}"):
        return connect(options)


def target_options(settings: Settings) -> TargetOptions:
    """Return what *settings* say of the live cluster."""
    from eksnetpol.gateways.session import TargetOptions

    target = settings.target
    said = {name: getattr(target, name) for name in target.__struct_fields__ if getattr(target, name) is not None}
    if "as_group" in said:
        said["as_groups"] = tuple(said.pop("as_group"))
    return TargetOptions(**said)


def has_kubeconfig() -> bool:
    """Say whether kubectl would find a kubeconfig here."""
    files = os.environ.get("KUBECONFIG")
    if files:
        return any(Path(file).is_file() for file in files.split(os.pathsep) if file)
    return Path("~/.kube/config").expanduser().is_file()


def refuse_input() -> None:
    """Leave nobody a way to ask: exec plug-ins of a kubeconfig find no terminal, and botocore cannot ask for an MFA code."""
    import getpass

    def refuse(prompt: str = "", *_: object, **__: object) -> str:
        raise UsageError(f"{prompt.strip().rstrip(':') or 'an answer'} is asked for, and --no-input forbids to ask; leave it out")

    sys.stdin = Path(os.devnull).open(encoding="ascii")  # noqa: SIM115 - stays open as long as the process
    getpass.getpass = refuse


def in_words(*paths: str) -> str:
    """Return what to call the files in *paths*."""
    if len(paths) > 1:
        return f"{len(paths)} paths"
    return "stdin" if paths == ("-",) else paths[0]
