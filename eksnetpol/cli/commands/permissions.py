"""``eksnetpol permissions``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from eksnetpol.cli.base import Group
from eksnetpol.cli.config import configuration, merge
from eksnetpol.cli.options import general, option, target
from eksnetpol.cli.outputs import Output, output_option, settle, write
from eksnetpol.cli.terminal import Terminal
from eksnetpol.errors import UsageError

if TYPE_CHECKING:
    from eksnetpol.gateways.permits import Permissions

_FORMATS = ("text", "json", "yaml")
_DEFAULT = ("preflight",)
MISSING, UNTOLD = 1, 3


class CommandName(click.ParamType[str]):
    """The name of a command that asks AWS or an API server."""

    name = "COMMAND"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002
        """Return the next word of the commands that begin with what is typed."""
        from eksnetpol.gateways.permits import commands

        typed = list(ctx.params.get("words") or ())
        words = [name.split() for name in commands()]
        following = {w[len(typed)] for w in words if w[: len(typed)] == typed and len(w) > len(typed)}
        return [CompletionItem(word) for word in sorted(following) if word.startswith(incomplete)]


@click.group(
    "permissions",
    cls=Group,
    short_help="Show or check the least permissions a command needs.",
    examples=(
        ("what an administrator has to grant for preflight", "eksnetpol permissions show preflight"),
        ("whether it is granted to you", "eksnetpol permissions check preflight --cluster shop --region eu-west-1"),
    ),
)
def command() -> None:
    """Show or check the least permissions a command needs.

    They come from the table through which eksnetpol itself calls AWS and the API server: neither more nor less.
    """


@command.command(
    "show",
    short_help="Print the IAM policy and the RBAC that a command needs.",
    examples=(
        ("for preflight", "eksnetpol permissions show"),
        ("for whoever turns policy on", "eksnetpol permissions show enable"),
        ("the IAM policy alone, for one cluster", "eksnetpol permissions show --iam-only --cluster shop --region eu-west-1"),
        ("grant the RBAC to a group", "eksnetpol permissions show --rbac-only --group readers | kubectl apply -f -"),
    ),
)
@click.argument("words", metavar="[COMMAND]", nargs=-1, type=CommandName())
@option("--iam-only", group="Choice", is_flag=True, help="Only the IAM policy, as JSON.")
@option("--rbac-only", group="Choice", is_flag=True, help="Only the ClusterRole and its binding, as YAML.")
@option("--cluster", group="Names to fill in", metavar="NAME", default="", help="Name of the EKS cluster.")
@option("--region", group="Names to fill in", metavar="REGION", default="", help="AWS region of the cluster.")
@option("--account", group="Names to fill in", metavar="ID", default="", help="AWS account of the cluster.")
@option("--group", group="Names to fill in", metavar="NAME", default="", help="Kubernetes group to bind to; else as the role.")
@output_option(*_FORMATS)
@general
def show(words: tuple[str, ...], iam_only: bool, rbac_only: bool, output: tuple[Output, ...], **flags: Any) -> None:
    """Print the least IAM policy, and the ClusterRole with its binding, that COMMAND needs; preflight if none is named.

    Bind the group by an access entry of the cluster: aws eks create-access-entry --kubernetes-groups eksnetpol-read. What
    commands need that change a cluster is called eksnetpol-manage, and has a Role in kube-system beside its ClusterRole; that of
    `migrate run` and `migrate cleanup`, which whoever resumes or goes back on such a run needs as well, eksnetpol-migrate.
    """
    from eksnetpol.gateways.permit_documents import MIGRATOR, Place, cluster_role, iam_policy, partition_of
    from eksnetpol.gateways.permits import MIGRATING

    if iam_only and rbac_only:
        raise UsageError("--iam-only and --rbac-only leave nothing to print; give one of them")
    region, account, cluster, group = (flags.pop(name) for name in ("region", "account", "cluster", "group"))
    Terminal.of(flags)
    outputs = settle(output)
    needed = _needs(words)
    policy = "" if rbac_only else iam_policy(needed, Place(partition_of(region), region, account, cluster))
    name = MIGRATOR if " ".join(words) in MIGRATING else ""
    role = "" if iam_only else cluster_role(needed, name, group)
    for place in outputs:
        text = _shown(policy, role) if place.format == "text" else _data(policy, role, place.format)
        write(text, place.file)


@command.command(
    "check",
    short_help="Ask AWS and the API server whether you have what a command needs.",
    exits=(0, MISSING, 2, UNTOLD, 6, 70, 130),
    exit_words={0: "every permission is granted", MISSING: "a permission is missing"},
    examples=(
        ("for preflight, as yourself", "eksnetpol permissions check --cluster shop --region eu-west-1"),
        (
            "for what a pipeline's role may",
            'eksnetpol permissions check --cluster shop --role-arn "$CI_ROLE"',
        ),
        (
            "through a kubeconfig, as another group",
            "eksnetpol permissions check --context shop --as ci --as-group eksnetpol-read",
        ),
    ),
)
@click.argument("words", metavar="[COMMAND]", nargs=-1, type=CommandName())
@target
@output_option(*_FORMATS)
@configuration
@general
@click.pass_context
def check(ctx: click.Context, /, words: tuple[str, ...], output: tuple[Output, ...], **_flags: Any) -> int:
    """Ask whether you have every permission that COMMAND needs, and name each that is missing; preflight if none is named.

    AWS is asked by iam:SimulatePrincipalPolicy, the API server by SelfSubjectAccessReviews. Nothing is tried out. Ends with 1
    when something is missing, and with 3 when nothing is known to be missing but not everything could be told.
    """
    config = merge(ctx)
    terminal = config.terminal()
    if ctx.params["show_config"]:
        write(config.text())
        return 0

    from eksnetpol.cli.answers import render
    from eksnetpol.cli.look import connect_live
    from eksnetpol.cli.progress import busy
    from eksnetpol.gateways.permission_check import check_permissions

    needed = _needs(words)
    outputs = settle(output)
    connection = connect_live(config.settings, terminal)
    with busy(terminal, f"asking for {len(needed.iam) + len(needed.rbac)} permissions"):
        answers = check_permissions(connection, needed)
    name = " ".join(words or _DEFAULT)
    for place in outputs:
        write(render(answers, name, place.format, terminal), place.file)
    if any(answer.allowed is False for answer in answers):
        return MISSING
    return UNTOLD if any(answer.allowed is None for answer in answers) else 0


def _needs(words: tuple[str, ...]) -> Permissions:
    from eksnetpol.gateways.permits import commands, permissions_for

    name = " ".join(words or _DEFAULT)
    known = commands()
    if name not in known:
        import difflib

        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise UsageError(f"there is no command {name!r} that asks AWS or an API server; {hint}those are: {', '.join(known)}")
    return permissions_for(name)


def _shown(policy: str, role: str) -> str:
    if policy and role:
        return f"# IAM policy\n{policy}\n{role}"
    return policy or role


def _data(policy: str, role: str, form: str) -> str:
    import json

    import yaml

    value = {
        **({"iam": json.loads(policy)} if policy else {}),
        **({"rbac": list(yaml.safe_load_all(role))} if role else {}),
    }
    if form == "yaml":
        return yaml.safe_dump(value, sort_keys=False, width=120)
    return json.dumps(value, indent=2) + "\n"
