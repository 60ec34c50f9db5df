"""Probes among the steps of a migration: under the old engine, on the nodes that have left it, and at the end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from eksnetpol.assets.probes import SECONDS
from eksnetpol.migration.meanings import BY_IDENTITY
from eksnetpol.migration.planning import phases
from eksnetpol.migration.planning.leaving import LABELLED, Leaving
from eksnetpol.migration.planning.options import Exit, MigrateOptions
from eksnetpol.migration.probing.choosing import Chosen
from eksnetpol.model.actions import Delete, ObjectId
from eksnetpol.model.conditions import Absent, Probed
from eksnetpol.model.plan import Step, Undo
from eksnetpol.planning.draft import Draft
from eksnetpol.planning.looks import counted

_REJECTS = frozenset({"kube-router"})
"""Engines that answer what they deny with an error (``-j REJECT``), as one would whose port nobody listens on."""

_BASELINE_NODES = 3


@dataclass(frozen=True, slots=True)
class Probing:
    """What is tried at the gates of a migration off *left*; nothing where no image was named or nothing could be chosen."""

    left: Leaving
    options: MigrateOptions
    chosen: Chosen | None

    @property
    def is_on(self) -> bool:
        """True where connections are tried."""
        return self.chosen is not None and bool(self.chosen.tries)

    def baseline(self) -> Draft:
        """Return the probes under the old engine, with what is to be known of all of them."""
        if self.chosen is None:
            return Draft()
        nodes = tuple(node.name for node in self.left.nodes[:_BASELINE_NODES])
        words = f"what flows is tried under {self.left.title}, after each batch and at the end: {self.chosen.words}"
        title = f"Try what flows under {self.left.title}"
        steps = tuple(self._steps("baseline", "baseline", title, phases.BASELINE, nodes=nodes)) if self.left.has_agent else ()
        return Draft(steps=steps, facts=(words,) if self.is_on else (), warnings=self.chosen.notes)

    def after(self, batch: str, nodes: tuple[str, ...]) -> Iterator[Step]:
        """Yield the probes on the nodes of a batch; new ones are known by their label."""
        there: dict[str, Any] = {"nodes": nodes} if self.left.exit is Exit.IN_PLACE else {"label": LABELLED}
        title = f"Try what flows on {'nodes' if self.left.exit is Exit.IN_PLACE else 'new nodes'} that the VPC CNI alone polices"
        # A pod on a node without its agent is an address outside to such an engine, which may not let it in.
        near = self.left.engine in BY_IDENTITY
        yield from self._steps(f"roll/{batch}", batch, title, phases.EXIT, near=near, **there)

    def closing(self) -> Iterator[Step]:
        """Yield the probes at the end."""
        yield from self._steps("close", "close", "Try what flows in the end", phases.CLOSE, label=LABELLED)

    def _steps(self, prefix: str, gate: str, title: str, phase: str, **where: Any) -> Iterator[Step]:
        if self.chosen is None or not self.is_on:
            return
        action = self.chosen.at(gate, self.options.probe_image, **where)
        jobs = tuple(ObjectId(ref) for ref in action.refs)
        many = counted(len(jobs), "Job")
        yield Step(
            id=f"{prefix}/probe",
            title=title,
            action=action,
            until=Probed(gate, self.options.abort_after, self.left.engine in _REJECTS, action.near),
            patience=SECONDS + 300.0,
            undo=Undo(f"Delete the {many} that tried it", Delete(jobs), Absent(jobs)),
            disrupts="pods are tried with connections that are closed at once",
            phase=phase,
        )
        yield Step(
            id=f"{prefix}/probes-gone",
            title=f"Delete the {many} that tried it, with their pods",
            action=Delete(jobs),
            until=Absent(jobs),
            undo=phases.nothing_to_do("what they found is in the journal"),
            phase=phase,
        )
