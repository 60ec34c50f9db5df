"""``eksnetpol render``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from eksnetpol.cli.base import Command
from eksnetpol.cli.change_options import ENVIRONMENT, SettingType, resolve_conflicts
from eksnetpol.cli.config import configuration, merge
from eksnetpol.cli.options import general, option, sources, target_as_oneself
from eksnetpol.cli.outputs import STDOUT, Output, settle, write
from eksnetpol.errors import UsageError

if TYPE_CHECKING:
    from eksnetpol.cli.config import Config
    from eksnetpol.cli.terminal import Terminal
    from eksnetpol.gateways.session import Connection
    from eksnetpol.model.snapshot import ClusterSnapshot
    from eksnetpol.operations.lifecycle import Options

CHANGES = ("enable", "upgrade", "disable")
LANGUAGES = ("terraform", "cloudformation", "cdk", "eksctl", "helm-values", "kubectl", "aws-cli")
_OF = {"adopt": "enable", "values": "enable", "to": "upgrade", "keep_policies": "disable"}
_FLAGS = {"adopt": "--adopt", "values": "--set", "to": "--to", "keep_policies": "--keep-policies"}


@click.command(
    "render",
    cls=Command,
    greedy=("--manifests",),
    short_help="Write a change for the owner of the VPC CNI, instead of making it.",
    exits=(0, 2, 3, 6, 70, 130),
    exit_words={
        0: "written; or nothing is left to do, and nothing was written",
        6: "refused: the language does not fit how the VPC CNI is installed, or there is no way from here",
    },
    examples=(
        ("for Terraform", "eksnetpol render enable --as terraform --cluster shop --region eu-west-1"),
        ("values for the chart, into a file", "eksnetpol render enable --as helm-values --context shop -o np.yaml"),
        ("what eksctl is to read, from a snapshot", "eksnetpol render upgrade --as eksctl --snapshot shop.json.gz"),
        ("make it an add-on, in CloudFormation", "eksnetpol render enable --adopt --as cloudformation --cluster shop"),
    ),
    environment=ENVIRONMENT,
)
@click.argument("change", type=click.Choice(CHANGES))
@option(
    "--as",
    "language",
    group="For whom",
    type=click.Choice(LANGUAGES),
    setting="render-as",
    help="The owner's language.  [default: that of the tool which is seen to own the VPC CNI]",
)
@option(
    "-o",
    "--output",
    "file",
    group="For whom",
    metavar="FILE",
    default=STDOUT,
    setting="render-output",
    help="Where the document goes; - is stdout.",
)
@sources
@target_as_oneself
@option("--adopt", group="The change", is_flag=True, help="enable: make a VPC CNI that EKS does not manage a managed add-on.")
@option(
    "--set",
    "values",
    group="The change",
    multiple=True,
    type=SettingType(),
    help="enable: a further setting of the add-on or chart, e.g. nodeAgent.logLevel=info; may be repeated.",
)
@option("--to", group="The change", metavar="VERSION", help="upgrade: a version, latest or recommended (the default).")
@option("--keep-policies", group="The change", is_flag=True, help="disable: leave the policies, for another engine.")
@resolve_conflicts
@configuration
@general
@click.pass_context
def command(ctx: click.Context, /, **_flags: Any) -> int:
    """Write CHANGE (enable, upgrade or disable) for whoever owns the VPC CNI here, instead of making it.

    It is the decision that `eksnetpol enable` would plan, in the owner's language: a resource for Terraform, CloudFormation or
    the CDK (TypeScript), an entry for eksctl, values for the Helm chart, manifests for kubectl, a script for the AWS CLI. A
    comment at the top of it says what it does, where it goes, and what is to be done before and after it. stdout carries the
    document alone. A language that does not fit how the VPC CNI is installed is refused, with those that do.
    """
    config = merge(ctx)
    terminal = config.terminal()
    params = ctx.params
    if params["show_config"]:
        write(config.text())
        return 0
    wanted = _wanted(params)
    (output,) = settle((Output("document", params["file"]),))

    from eksnetpol.cli.change import schemas_for
    from eksnetpol.gateways.collector_pause import collector_paused
    from eksnetpol.operations.render import render

    connection, snapshot = _look(config, terminal)
    with collector_paused():
        schemas = schemas_for(connection, snapshot, wanted)
        made = render(snapshot, wanted, params["language"], config.settings, schemas=schemas)
    for note in made.notes:
        terminal.say(f"note: {note}")
    if made.text:
        write(made.text, output.file)
        if output.file != STDOUT:
            terminal.say(f"{made.language} written to {output.file}", level=1)
    return 0


def _look(config: Config, terminal: Terminal) -> tuple[Connection | None, ClusterSnapshot]:
    from eksnetpol.cli.look import NOTHING_GIVEN, connect_live, look, source
    from eksnetpol.cli.progress import watching
    from eksnetpol.gateways.collect import collect

    name = "eksnetpol render"
    if source(config) != "a live cluster":
        return None, look(config, terminal, name)
    connection = connect_live(config.settings, terminal, NOTHING_GIVEN.format(command=name))
    with watching(terminal, f"looking at {connection.target.title}") as observer:
        return connection, collect(connection, observer)


def _wanted(params: dict[str, Any]) -> Options:
    """Return what is to be planned; raise `UsageError` for a flag that belongs to another change."""
    from eksnetpol.planning.options import DisableOptions, EnableOptions, UpgradeOptions

    change = params["change"]
    for name, of in _OF.items():
        if params[name] and of != change:
            raise UsageError(f"{_FLAGS[name]} belongs to `eksnetpol render {of}`, and this is {change}")
    resolve = params["resolve_conflicts"].upper() if params["resolve_conflicts"] else None
    match change:
        case "enable":
            return EnableOptions(adopt=params["adopt"], resolve=resolve, values=dict(params["values"]))
        case "upgrade":
            return UpgradeOptions(to=params["to"] or "recommended", resolve=resolve)
        case _:
            return DisableOptions(keep_policies=params["keep_policies"], resolve=resolve)
