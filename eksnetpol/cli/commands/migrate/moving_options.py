"""What people may say of how a cluster is led off its engine; shared by the commands that plan it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from eksnetpol.cli.change_options import SettingType, resolve_conflicts
from eksnetpol.cli.commands.migrate.common import all_taken_on
from eksnetpol.cli.options import Duration, Image, option, together
from eksnetpol.errors import EksNetpolError, Refused

if TYPE_CHECKING:
    from eksnetpol.cli.config import Config
    from eksnetpol.migration.planning.options import MigrateOptions
    from eksnetpol.migration.timeline import Rehearsal
    from eksnetpol.model.snapshot import ClusterSnapshot
    from eksnetpol.operations.moving import Move
    from eksnetpol.translation.values import Accepted

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
        "--cleaner-image", group=NODES, type=Image(), default=None,
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
    option(
        "--probe-image", group="Probes", type=Image(), default=None,
        help="Image of the Jobs that try connections under the old engine, after each batch and at the end: with a shell and nc "
        "or bash; pin it by digest. Without it gates look at objects alone.",
    ),
    option(
        "--probes", group="Probes", metavar="N", type=click.IntRange(1, 200), default=40, show_default=True,
        help="Connections that are tried each time, at most.",
    ),
    option(
        "--abort-after", group="Probes", metavar="N", type=click.IntRange(0), default=0, show_default=True,
        help="Allowed connections that may fail; with more of them the run stops, and at once if a denied one gets through.",
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
        cleaner_image=params["cleaner_image"] or "",
        bare=tuple(params["bare"]),
        replacements=params["replacements"],
        nodes=params["nodes"],
        left_overs=tuple(map(LeftOver, params["left_overs"])),
        probe_image=params["probe_image"] or "",
        probes=params["probes"],
        abort_after=params["abort_after"],
        resolve=resolve.upper() if resolve else None,
        values=dict(params["values"]),
    )
    said.sizes(1)
    said.wanted_labels  # noqa: B018 - read for its complaint
    return said


@dataclass(frozen=True)
class Wish:
    """What was said of a migration, before anything is looked at."""

    config: Config
    engine: str
    options: MigrateOptions
    taken: tuple[Accepted, ...]
    notes: tuple[str, ...]
    cluster_policies: bool = False

    def prepare(self, snapshot: ClusterSnapshot) -> Move:
        """Return what leading the cluster of *snapshot* off its engine comes to.

        Raises as `operations.moving.prepare_migration`; but a snapshot file without the sections it takes is refused: looking
        once more would not change it.
        """
        from eksnetpol.cli.look import source
        from eksnetpol.operations.moving import prepare_migration

        try:
            return prepare_migration(
                snapshot,
                self.options,
                self.config.settings,
                engine=self.engine,
                taken=self.taken,
                notes=self.notes,
                cluster_policies=self.cluster_policies,
            )
        except EksNetpolError as error:
            if error.exit_code == EksNetpolError.exit_code and source(self.config) == "--snapshot":
                raise Refused(f"this snapshot does not hold what a migration is planned from: {error}") from error
            raise

    def rehearse(self, move: Move) -> Rehearsal:
        """Return how *move* goes on a copy of its cluster, under what this VPC CNI is or is taken to be."""
        from eksnetpol.cli.policy_look import profile_of
        from eksnetpol.operations.rehearsal import rehearsed
        from eksnetpol.policy.profile import Semantics
        from eksnetpol.policy.world import World

        profile, _notes = profile_of(move.snapshot, World.of(move.snapshot), self.config.settings.policy)
        return rehearsed(move, replace(profile, semantics=Semantics.VPC_CNI))


def wish_of(ctx: click.Context, config: Config) -> Wish:
    """Return what the person said; raise `UsageError` for what means nothing, `Refused` for a waiver that has expired."""
    options = options_of(ctx.params)
    taken, notes = all_taken_on(ctx, config)
    return Wish(config, ctx.params["engine"] or "", options, taken, notes, ctx.params["allow_cluster_policies"])
