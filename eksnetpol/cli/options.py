"""The options that several commands share."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from eksnetpol.cli.base import Option

F = TypeVar("F", bound=Callable[..., Any])

LIVE = "Live cluster"
SOURCE = "Source (exactly one; else the kubeconfig's current context)"
INTENTS = ("enable", "upgrade", "disable", "migrate")
THRESHOLDS = ("blocker", "warning", "advice", "never")
SHELLS = ("bash", "zsh", "fish")


def option(*names: str, group: str, **kwargs: Any) -> Callable[[F], F]:
    """Declare an option under a heading of --help."""
    return click.option(*names, cls=Option, group=group, **kwargs)


def together(*decorators: Callable[[F], F]) -> Callable[[F], F]:
    """Return one decorator for several, the first one first in --help."""

    def decorate(function: F) -> F:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


class CheckId(click.ParamType[str]):
    """The id or family of a check, or a glob over either; several with commas."""

    name = "ID"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002
        """Return the ids and families that begin with *incomplete*."""
        from eksnetpol.checks.catalog import catalog

        before, comma, last = incomplete.rpartition(",")
        checks = {check.id: check.title for check in catalog()}
        names = {check.family: "every check of this family" for check in catalog()} | checks
        return [CompletionItem(before + comma + n, help=names[n]) for n in sorted(names) if n.startswith(last)]


class ContextName(click.ParamType[str]):
    """The name of a context of the kubeconfig."""

    name = "NAME"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002
        """Return the contexts that begin with *incomplete*."""
        import os

        import yaml

        given = ctx.params.get("kubeconfig") or os.environ.get("KUBECONFIG") or "~/.kube/config"
        names: set[str] = set()
        for file in filter(None, given.split(os.pathsep)):
            try:
                read = yaml.safe_load(Path(file).expanduser().read_text(encoding="utf-8"))
                names |= {str(context["name"]) for context in read["contexts"]}
            except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError):
                # A shell that asks for words must not be given an error.
                continue
        return [CompletionItem(name) for name in sorted(names) if name.startswith(incomplete)]


class ProfileName(click.ParamType[str]):
    """The name of a profile of the AWS configuration."""

    name = "NAME"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002
        """Return the profiles that begin with *incomplete*."""
        import configparser
        import os

        files = (("AWS_CONFIG_FILE", "~/.aws/config"), ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"))
        names: set[str] = set()
        for variable, usual in files:
            parser = configparser.ConfigParser(strict=False, interpolation=None)
            try:
                parser.read(Path(os.environ.get(variable, usual)).expanduser(), encoding="utf-8")
            except (configparser.Error, OSError, UnicodeDecodeError):
                # A shell that asks for words must not be given an error.
                continue
            names |= {name.removeprefix("profile ") for name in parser.sections() if not name.startswith("sso-session ")}
        return [CompletionItem(name) for name in sorted(names) if name.startswith(incomplete)]


class Duration(click.ParamType[float]):
    """Seconds, as ``30``, ``30s`` or ``2m``."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds that *value* means."""
        found = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m|)", str(value))
        seconds = float(found[1]) * (60 if found[2] == "m" else 1) if found else 0
        if not seconds:
            self.fail(f"{value!r} is no time; write 30s or 2m", param, ctx)
        return seconds


_PART = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
_IMAGE = re.compile(
    rf"(?:[A-Za-z0-9.-]+(?::\d+)?/)?{_PART}(?:/{_PART})*(?::[\w][\w.-]{{0,127}})?(?:@[A-Za-z][\w+.-]*:[0-9a-f]{{32,}})?", re.ASCII
)


class Image(click.ParamType[str]):
    """A reference of a container image, as the distribution project's grammar has it: a kubelet refuses to pull any other."""

    name = "IMAGE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return *value* as it is, where it is such a reference."""
        if not _IMAGE.fullmatch(str(value)):
            self.fail(f"{value!r} is no image; write REGISTRY/NAME:TAG or REGISTRY/NAME@sha256:DIGEST", param, ctx)
        return str(value)


general = together(
    option("-v", "--verbose", group="General", count=True, help="Say more: every finding, a line per section; -vv adds timings."),
    option("-q", "--quiet", group="General", is_flag=True, help="Say nothing on stderr but what went wrong."),
    option(
        "--color",
        group="General",
        type=click.Choice(("auto", "always", "never")),
        default="auto",
        show_default=True,
        help="Colour the terminal; auto heeds NO_COLOR, TERM=dumb and pipes.",
    ),
    option(
        "--width",
        group="General",
        type=click.IntRange(20, 1000),
        metavar="COLUMNS",
        help="Width of text; the terminal's, or 80.",
    ),
    option("--no-input", group="General", is_flag=True, help="Never ask anything, e.g. for an MFA code."),
    option("--debug", group="General", is_flag=True, help="Show tracebacks."),
)
"""Options of every command."""

sources = together(
    option(
        "--snapshot",
        group=SOURCE,
        metavar="FILE",
        help="A file that `eksnetpol snapshot save` wrote; - for stdin.",
    ),
    option(
        "--manifests",
        group=SOURCE,
        metavar="PATH...",
        multiple=True,
        help="Files or directories of manifests; - for stdin. All words up to the next option are paths.",
    ),
    option(
        "--any-file",
        group=SOURCE,
        is_flag=True,
        default=None,
        help="Leave out files named that hold no Kubernetes objects, as is done in directories.",
    ),
)
"""Options that say what to look at, but for a live cluster. ``--manifests`` is to be greedy."""

_place = together(
    option("--cluster", group=LIVE, metavar="NAME", help="Name of the EKS cluster. Without --context, AWS gives the way in."),
    option("--region", group=LIVE, metavar="REGION", help="AWS region of the cluster; else the profile's."),
    option("--profile", group=LIVE, type=ProfileName(), metavar="NAME", help="Profile of the AWS configuration."),
    option("--role-arn", group=LIVE, metavar="ARN", help="IAM role to assume first."),
    option("--external-id", group=LIVE, metavar="ID", help="External id to assume the role with."),
    option("--endpoint-url", group=LIVE, metavar="URL", help="Another endpoint for the AWS APIs."),
    option("--ca-bundle", group=LIVE, metavar="FILE", help="CA certificates to trust the AWS APIs by."),
    option("--kubeconfig", group=LIVE, metavar="FILE", help="Kubeconfig to use; else $KUBECONFIG or ~/.kube/config."),
    option(
        "--context",
        group=LIVE,
        type=ContextName(),
        metavar="NAME",
        help="Context of the kubeconfig. With --cluster it must be that cluster's.",
    ),
)
_impersonation = together(
    option("--as", "as_user", group=LIVE, metavar="USER", help="User to impersonate at the API server."),
    option("--as-group", group=LIVE, metavar="GROUP", multiple=True, help="Group to impersonate; may be repeated."),
)
_patience = option(
    "--request-timeout", group=LIVE, type=Duration(), metavar="TIME", help="Longest wait for one answer, e.g. 30s or 2m."
)

target = together(_place, _impersonation, _patience)
"""Options that say which live cluster, and who asks."""

target_as_oneself = together(_place, _patience)
"""As `target`, for a command in which ``--as`` means something else; ``as`` in the file of settings still holds."""
