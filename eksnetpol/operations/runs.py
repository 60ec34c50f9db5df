"""Carrying plans out: a new run, a run that goes on, a run that goes back, and a rehearsal that touches nothing."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
from msgspec.structs import replace

from eksnetpol import __version__
from eksnetpol.errors import EksNetpolError
from eksnetpol.execution.executor import carry_out
from eksnetpol.execution.progress import past_of
from eksnetpol.interfaces.acting import Clock, Entry, Hands, Journal, Watcher
from eksnetpol.model.fingerprints import digest_of_file
from eksnetpol.model.kinds import ObjectRef
from eksnetpol.model.plan import Plan, Verb
from eksnetpol.model.snapshot import ClusterSnapshot
from eksnetpol.planning.rollback import plan_rollback
from eksnetpol.simulation.world import SimulatedCluster


def holder(run: str) -> str:
    """Return who holds the Lease for *run*: the run, and who started it where."""
    try:
        who = getpass.getuser()
    except (OSError, KeyError):
        # A container's user id may have no name.
        who = "somebody"
    return f"{run} {who}@{socket.gethostname()}"


def perform(  # noqa: PLR0913 - what the executor takes
    plan: Plan,
    hands: Hands,
    journal: Journal,
    clock: Clock,
    watcher: Watcher,
    *,
    wait: bool = True,
    timeout: float | None = None,
    confirmed: Collection[str] = (),
    until: str = "",
) -> None:
    """Carry *plan* out, or go on with it: the journal knows which. Takes and raises what `execution.executor.carry_out` does."""
    carry_out(
        plan, hands, journal, clock, watcher,
        holder=holder(journal.run), wait=wait, timeout=timeout, confirmed=confirmed, until=until,
    )  # fmt: skip


def way_back(plan: Plan, journal: Journal, now: datetime) -> Plan:
    """Return the plan, made *now*, that takes back what the run in *journal* did."""
    back = plan_rollback(plan, run=journal.run, touched=past_of(journal.entries()).touched)
    return replace(back, tool=__version__, made_at=now)


def present(hands: Hands, refs: Iterable[ObjectRef]) -> frozenset[ObjectRef]:
    """Return those of *refs* that are there: one list for each kind, not a question for each object."""
    wanted = frozenset(refs)
    kinds = {ref.of_kind for ref in wanted}
    return wanted & {ObjectRef.of(found) for kind in sorted(kinds) for found in hands.objects(kind)}


@dataclass(slots=True)
class MemoryJournal:
    """A journal that is gone with the process: for rehearsals."""

    run: str
    lines: list[Entry] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)

    def entries(self) -> tuple[Entry, ...]:
        """Return all lines."""
        return tuple(self.lines)

    def append(self, entry: Entry) -> None:
        """Keep a line."""
        self.lines.append(entry)

    def save(self, name: str, data: bytes) -> str:
        """Keep a file."""
        self.files[name] = data
        return digest_of_file(data)

    def load(self, name: str, *, run: str = "") -> bytes | None:
        """Return a file."""
        return self.files.get(name) if run in {"", self.run} else None


class Rehearsal(msgspec.Struct, frozen=True):
    """How a plan went in memory: how many seconds of the cluster's time it took, what went wrong, the cluster afterwards."""

    seconds: float
    after: ClusterSnapshot
    entries: tuple[Entry, ...]
    error: EksNetpolError | None = None


def rehearse(
    plan: Plan, snapshot: ClusterSnapshot, watching: Callable[[Clock], AbstractContextManager[Watcher]]
) -> Rehearsal:
    """Carry *plan* out on a copy of the cluster in memory. *watching* gives a watcher that tells the copy's own time."""
    world = SimulatedCluster.of(snapshot)
    journal = MemoryJournal("rehearsal")
    began = world.monotonic()
    error: EksNetpolError | None = None
    with watching(world) as watcher:
        try:
            perform(plan, world, journal, world, watcher)
        except EksNetpolError as went_wrong:
            error = went_wrong
    return Rehearsal(world.monotonic() - began, world.snapshot(), journal.entries(), error)


def is_disruptive(plan: Plan) -> bool:
    """Say whether the person is to type the cluster's name: what deletes, or cannot be taken back."""
    return plan.verb is Verb.DISABLE or any(step.one_way for step in plan.steps)
