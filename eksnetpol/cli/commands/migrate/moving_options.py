"""What people may say of how a cluster is led off its engine; shared by the commands that plan it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from eksnetpol.cli.change_options import SettingType, resolve_conflicts
from eksnetpol.cli.options import Duration, option, together

if TYPE_CHECKING:
    from eksnetpol.migration.planning.options import MigrateOptions

NODES = "Nodes"
CLASSES = ("admission", "policies", "definitions", "namespaces")

left_overs = option(
    "--left-overs",
    group="The change",
    type=click.Choice(CLASSES),
    multiple=True,
    help="Take these objects of the old engine away too, by exact name, behind the door left-overs; repeatable.",
)
"""What goes at the end, class by class."""

moving = together(
    option(
        "--exit",
        "way_out",
        group=NODES,
        type=click.Choice(("in-place", "replacement")),
        help="Clean nodes in place, or have them replaced.  [default: in place where the engine's rules allow it]",
    ),
    option(
        "--batch", group=NODES, metavar="N|N%", default="5%", show_default=True, help="Nodes at a time, or a share of them."
    ),
    option(
        "--canary", group=NODES, metavar="N", type=click.IntRange(0), default=1, show_default=True, help="Nodes that go first."
    ),
    option(
        "--soak", group=NODES, metavar="TIME", type=Duration(), default="60s", show_default=True, help="Wait after each batch."
    ),
    option(
        "--settle", group=NODES, metavar="TIME", type=Duration(), default="10m", show_default=True,
        help="Wait before the old engine is uninstalled.",
    ),
    option(
        "--nodes", group=NODES, metavar="LABELS", default="",
        help="Only nodes with these labels (key=value,…); nothing is uninstalled then.",
    ),
    option(
        "--cleaner-image", group=NODES, metavar="IMAGE", default="",
        help="Image of the Job that takes the old rules out of a node's kernel; pin it by digest.",
    ),
    option(
        "--bare", group=NODES, metavar="NAMESPACE/POD", multiple=True,
        help="A pod that nothing brings back and that may go; repeatable.",
    ),
    option(
        "--replacements", group=NODES, metavar="N", type=click.IntRange(0), default=0,
        help="New nodes there will be in the end.  [default: one for each]",
    ),
    left_overs,
    option(
        "--set", "values", group="The change", multiple=True, type=SettingType(),
        help="A further setting of the add-on or chart, e.g. nodeAgent.logLevel=info; may be repeated.",
    ),
    resolve_conflicts,
)  # fmt: skip
"""How nodes leave, in what portions, and what goes at the end."""


def options_of(params: dict[str, Any]) -> MigrateOptions:
    """Return what *params* say; raise `UsageError` for a batch or labels that mean nothing."""
    from eksnetpol.migration.planning.options import Exit, LeftOver, MigrateOptions

    resolve = params["resolve_conflicts"]
    said = MigrateOptions(
        batch=params["batch"],
        canary=params["canary"],
        soak=params["soak"],
        settle=params["settle"],
        exit=Exit(params["way_out"]) if params["way_out"] else None,
        cleaner_image=params["cleaner_image"],
        bare=tuple(params["bare"]),
        replacements=params["replacements"],
        nodes=params["nodes"],
        left_overs=tuple(map(LeftOver, params["left_overs"])),
        resolve=resolve.upper() if resolve else None,
        values=dict(params["values"]),
    )
    said.sizes(1)
    said.wanted_labels  # noqa: B018 - read for its complaint
    return said
