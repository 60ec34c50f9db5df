"""Migrations carried out in memory under a watch: who enforces, what flows and what is kept over the whole life of a run.

A run may have several processes. The watch looks after every call and every turn of time of all of them, so that what it says is
said of the one that died and of the one that goes on as one story.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from eksnetpol.execution import backups
from eksnetpol.migration.invariants import Violation
from eksnetpol.migration.watching import Census
from eksnetpol.model.engine_kinds import ENGINE_KINDS, OPERATOR_KINDS
from eksnetpol.model.fingerprints import digest_of
from eksnetpol.model.kinds import DAEMONSET, DEFINITION, NETWORK_POLICY, Json, ObjectRef
from eksnetpol.model.plan import Plan
from eksnetpol.operations.rehearsal import of_journal, watch_over
from eksnetpol.policy.profile import Profile
from eksnetpol.simulation.world import SimulatedCluster
from tests.execution.trouble import Process
from tests.migration.planning.carrying import People, Run
from tests.migration.towns import Town, town

PROFILE = Profile(family="ipv4")
SHORT = {"settle": 30.0, "soak": 5.0, "batch": "50%"}
"""How the plans are made that are carried out many times."""

OWN = "before-"
"""What steps keep of what they are about to touch: a step that became true by itself while nobody was at work keeps nothing."""


@cache
def planned(engine: str) -> Plan:
    """Return the plan of the shop under an engine, left-overs and all."""
    return town(engine).plan(**SHORT)


class Watched(People):
    """Those who are waited for; they let the watch know of the steps."""

    def __init__(self, cluster: SimulatedCluster, plan: Plan, there: Town) -> None:
        super().__init__(cluster, plan)
        self.watch = watch_over(plan, cluster, there.source, there.brought, profile=PROFILE, ebpf=there.ebpf)
        self.watch()
        cluster.observers.append(self.watch)

    def started(self, step: str, title: str, number: int, of: int) -> None:
        """A step begins."""
        self.watch.begin(step)
        super().started(step, title, number, of)

    def skipped(self, step: str, why: str) -> None:  # noqa: ARG002 - as a watcher is told
        """A step was true, or done, already."""
        self.watch.done.add(step)

    def succeeded(self, step: str, seconds: float) -> None:  # noqa: ARG002
        """A step's condition holds."""
        self.watch.done.add(step)


class Life(Run):
    """A run of a plan for the shop under an engine, from the first process to the last, under one watch."""

    def __init__(self, engine: str, plan: Plan | None = None) -> None:
        self.there = town(engine)
        super().__init__(self.there.snapshot, plan or planned(engine))
        self.people: Watched = Watched(self.cluster, self.plan, self.there)
        self.at_first = contents(self.cluster)
        self.first = self.cluster.objects(DAEMONSET)

    @property
    def violations(self) -> tuple[Violation, ...]:
        """What did not hold at some moment so far, of the cluster, the plan and the journal."""
        journal = Process(self.cluster, self.disk).journal
        return (*self.people.watch.violations, *of_journal(self.plan, journal, self.there.snapshot))

    @property
    def broken(self) -> set[tuple[str, str]]:
        """The same as which invariant, in which step."""
        return {(v.invariant.value, v.step) for v in self.violations}

    def unlike_at_first(self) -> Iterator[str]:
        """Yield what is not as it was before the run: who enforces, what flows, which policies and custom resources there are."""
        self.cluster.sleep(600.0)
        watch = self.people.watch
        watch()
        if watch.census != Census(old=len(self.cluster.scene().nodes)):
            yield f"who enforces: {watch.census}"
        narrowed = watch.exposure.narrowed()
        if watch.exposed.pairs or narrowed.pairs or narrowed.cut_off:
            yield f"what flows: {watch.exposed.flows} too much, {narrowed} too little"
        first, now = self.at_first, contents(self.cluster)
        # The control plane brings definitions of its own, whatever is done.
        refs = (ref for ref in sorted(now.keys() | first) if not ref.name.endswith(".networking.k8s.aws"))
        yield from (f"{ref} is not as it was" for ref in refs if now.get(ref) != first.get(ref))

    def lost(self) -> list[str]:
        """What was there at first and now is neither there, as it was, nor in a back-up, as it was."""
        now, kept = contents(self.cluster), kept_by(self)
        return [str(ref) for ref, digest in self.at_first.items() if digest not in {now.get(ref), *kept.get(ref, ())}]

    def files(self) -> dict[str, Any]:
        """What the back-ups hold in the end: of each, its objects by their content."""
        return {
            name: sorted((str(ref), said(one)) for ref, one in backups.read(data, name).by_ref.items())
            for (_, name), data in self.disk.files.items()
            if not name.startswith(OWN)
        }

    def ending(self) -> dict[str, Any]:
        """Everything that has to be the same, however often the run was interrupted."""
        end = self.end()
        return {"end": end, "contents": contents(self.cluster), "files": self.files()}


def contents(cluster: SimulatedCluster) -> dict[ObjectRef, str]:
    """Return the policies, custom resources and definitions that there are, by what they say."""
    kinds = (NETWORK_POLICY, DEFINITION, *ENGINE_KINDS, *OPERATOR_KINDS)
    return {ObjectRef.to(k, one["metadata"]["name"], one["metadata"].get("namespace", "")): said(one) for k in kinds
            for one in cluster.objects(k)}  # fmt: skip


def kept_by(run: Run) -> dict[ObjectRef, set[str]]:
    """Return what the back-ups of a run hold, each object by what it says in each of them."""
    found: dict[ObjectRef, set[str]] = {}
    for (_, name), data in run.disk.files.items():
        if not name.startswith(OWN):
            for ref, one in backups.read(data, name).by_ref.items():
                found.setdefault(ref, set()).add(said(one))
    return found


def said(found: Json) -> str:
    """Return the digest of what an object says, without what servers and controllers write into it, and what says nothing."""
    return digest_of(_full({key: value for key, value in backups.afresh(found).items() if key not in {"kind", "apiVersion"}}))


def _full(found: Any) -> Any:
    """Return a value without objects that hold nothing: what a field was put in stays, empty, when that is taken back."""
    if not isinstance(found, dict):
        return found
    inside = {key: _full(value) for key, value in found.items()}
    return {key: value for key, value in inside.items() if value != {}}
