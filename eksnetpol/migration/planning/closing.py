"""Phase 9: what was only needed on the way goes, and the end is looked at."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from eksnetpol.assets.cleaner import cleaner_ref
from eksnetpol.facts.declare import Lookup
from eksnetpol.facts.vpc_cni import VpcCni
from eksnetpol.migration.planning import phases
from eksnetpol.migration.planning.enabling import strategy
from eksnetpol.migration.planning.gate import answering
from eksnetpol.migration.planning.leaving import IN_PLACE, LABELLED, Leaving
from eksnetpol.migration.planning.options import Exit
from eksnetpol.migration.planning.probing import Probing
from eksnetpol.migration.planning.sources import Sources
from eksnetpol.model.actions import Apply, Delete, ObjectId
from eksnetpol.model.conditions import Absent, All, Holds, RolledOut, Runs
from eksnetpol.model.plan import Step, Undo
from eksnetpol.planning import places
from eksnetpol.planning.draft import Draft
from eksnetpol.planning.looks import counted
from eksnetpol.planning.places import AWS_NODE
from eksnetpol.planning.reading import known


def closing(facts: Lookup, left: Leaving, sources: Sources, probing: Probing) -> Draft:
    """Return the steps of phase 9."""
    return Draft(steps=tuple(replace(step, phase=phases.CLOSE) for step in _steps(facts, left, sources, probing)))


def _steps(facts: Lookup, left: Leaving, sources: Sources, probing: Probing) -> Iterator[Step]:
    if left.exit is Exit.IN_PLACE and left.nodes:
        jobs = tuple(ObjectId(cleaner_ref(node.name)) for node in left.nodes)
        yield Step(
            id="close/cleaners",
            title=f"Delete the cleaner's {counted(len(jobs), 'Job')}, with their logs",
            action=Delete(jobs),
            until=Absent(jobs),
            patience=max(300.0, float(len(jobs))),
            undo=phases.nothing_to_do("the Jobs have done their work, and nothing is lost but their logs"),
        )
    cni: VpcCni | None = known(facts, "vpc_cni")
    before = cni.workload.spec.update_strategy.type or "RollingUpdate" if cni is not None else "OnDelete"
    if left.engine not in IN_PLACE and left.all_nodes and before != "OnDelete":
        yield _rolls_again(before)
    title = "See that the VPC CNI alone enforces everywhere, that every policy is resolved, and that nothing stumbles"
    gone = (Runs(left.ref, gone=True, label=LABELLED), Runs(left.ref, gone=True))
    whole = All((*gone, places.agent_told("true"), RolledOut(AWS_NODE), sources.covered, answering(facts)))
    if left.all_nodes:
        yield phases.look("close/verify", title, whole, "", patience=1800.0)
    if left.nodes:
        yield from probing.closing()


def _rolls_again(kind: str) -> Step:
    after, before = strategy(kind), strategy("OnDelete")
    return Step(
        id="close/rolls",
        title=f"Let {AWS_NODE} roll by itself again (update strategy {kind})",
        action=Apply(after, keeps=True),
        until=Holds(after),
        undo=Undo("Update it node by node", Apply(before, keeps=True), Holds(before)),
    )
