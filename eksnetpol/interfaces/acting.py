"""What is done to a cluster, and what is kept of it: Protocols only.

`Hands` has two implementations: `gateways/hands.py` for a real cluster and `simulation/world.py` for one in memory. Objects are
the API's own JSON, whole. Errors are those of `eksnetpol.errors`; nothing of an SDK.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal, Protocol

import msgspec

from eksnetpol.model import eks
from eksnetpol.model.actions import CreateAddon, UpdateAddon
from eksnetpol.model.kinds import Json, Kind, ObjectRef

MANAGER = "eksnetpol"
"""Our field manager."""


class Hands(Protocol):
    """Everything that acts on one cluster. Each method is one call, which is what "at every API call" means in tests.

    Reading raises what `interfaces` says; writing also `errors.Conflict` (somebody else owns the field, or it changed under us),
    `errors.Rejected` (the API understood and will not: schema, admission) and `errors.Busy` (an update is under way).
    """

    def get(self, ref: ObjectRef) -> Json | None:
        """Return an object, None where there is none or its kind is not served."""

    def objects(self, kind: Kind, *, namespace: str = "", selector: str = "") -> tuple[Json, ...]:
        """Return the objects of a kind; none where the kind is not served."""

    def pods_on(self, node: str) -> tuple[Json, ...]:
        """Return the pods that are bound to a node, whatever their state: asked for by node, for a cluster has many."""

    def create(self, obj: Json, *, dry_run: bool = False) -> Json:
        """Create an object; raise `errors.Exists` where there is one of that name."""

    def apply(self, obj: Json, *, force: bool = False, dry_run: bool = False) -> Json:
        """Apply server-side as `MANAGER`; raise `errors.Conflict` with its fields where others own them and not *force*."""

    def patch(self, ref: ObjectRef, operations: list[Json], *, dry_run: bool = False) -> Json:
        """Do a JSON patch (RFC 6902); raise `errors.Conflict` where one of its tests fails, `errors.NotFound` without object."""

    def replace(self, obj: Json) -> Json:
        """Put *obj* in the place of the one with the same resourceVersion; raise `errors.Conflict` where that has changed."""

    def delete(self, ref: ObjectRef, *, uid: str = "", dry_run: bool = False) -> None:
        """Delete an object, only the one with *uid* where it is given. One that is not there, or another by then, is no error."""

    def evict(self, ref: ObjectRef, *, uid: str = "") -> None:
        """Evict a pod, only the one with *uid* where it is given. One that is gone, or another by then, is no error.

        Raises `errors.Busy`, which names the budget, where a disruption budget allows nothing now.
        """

    def watch(self, ref: ObjectRef, *, since: str = "", seconds: float = 5.0) -> Iterator[Json | None]:
        """Yield the object whenever it changes, for at most *seconds*; None when it goes. *since* is a resourceVersion."""

    def describe_addon(self, name: str) -> eks.Addon | None:
        """Return the add-on, None where EKS manages none."""

    def addon_updates(self, name: str) -> tuple[eks.Update, ...]:
        """Return the updates of an add-on that EKS remembers, the newest first."""

    def describe_update(self, name: str, update: str) -> eks.Update:
        """Return one update of an add-on."""

    def update_addon(self, wanted: UpdateAddon, *, token: str) -> eks.Update:
        """Start an update; the same *token* again starts nothing and returns the same update."""

    def create_addon(self, wanted: CreateAddon, *, token: str) -> eks.Addon:
        """Start creating the add-on; raise `errors.Exists` where there is one."""

    def delete_addon(self, name: str, *, preserve: bool) -> None:
        """Start deleting the add-on; one that is not there is no error."""


class Clock(Protocol):
    """Time as an argument."""

    def now(self) -> datetime:
        """Return the time, in UTC."""

    def monotonic(self) -> float:
        """Return seconds that never go back."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


Event = Literal["opened", "started", "acted", "succeeded", "failed", "stopped", "closed", "resumed", "rolled-back", "approved"]
"""What a journal's line says.

*opened*: the plan is bound; *started*: a step is about to act; *acted*: the action returned; *succeeded*: its condition holds;
*failed*: it will not; *stopped*: time is up or somebody interrupted, resumable; *closed*: all steps are done; *resumed*: another
process went on; *rolled-back*: a rollback of this run ended (``data.run`` is its id); *approved*: somebody (``data.by``)
confirmed the one-way door ``data.door``, which the step goes through.
"""


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of a journal. ``data`` is what a resuming process or a reader needs, e.g. ``{"update": "<id>"}``."""

    at: datetime
    event: Event
    step: str = ""
    detail: str = ""
    data: dict[str, Any] = msgspec.field(default_factory=dict)


class Journal(Protocol):
    """What is kept of one run. Every write is on disk before the method returns."""

    @property
    def run(self) -> str:
        """The run's id, e.g. ``20261127-030744-enable-4f2a``."""

    def entries(self) -> tuple[Entry, ...]:
        """Return all lines, in order. A last line that was cut off in the middle was never written."""

    def append(self, entry: Entry) -> None:
        """Write a line; raise `errors.JournalError` where that cannot be done."""

    def save(self, name: str, data: bytes) -> str:
        """Keep a file of the run (a back-up, a pre-image) and return the digest of *data*; replaces one of that name at once."""

    def load(self, name: str, *, run: str = "") -> bytes | None:
        """Return a file of this run, or of another; None where there is none."""


class RolloutState(msgspec.Struct, frozen=True):
    """How far a DaemonSet has rolled: nodes that want it, those with the new template, those ready or available with any."""

    desired: int = 0
    updated: int = 0
    ready: int = 0
    available: int = 0


class Watcher(Protocol):
    """Who is told how a plan is carried out. Calls come from one thread, in the order things happen."""

    def started(self, step: str, title: str, number: int, of: int) -> None:
        """A step begins."""

    def skipped(self, step: str, why: str) -> None:
        """A step was true already, or a former process has done it."""

    def rollout(self, state: RolloutState) -> None:
        """The DaemonSet is this far."""

    def note(self, text: str) -> None:
        """Something worth a line happened: the state of an update, a retry."""

    def succeeded(self, step: str, seconds: float) -> None:
        """A step's condition holds."""

    def failed(self, step: str, why: str) -> None:
        """A step will not succeed, or was not waited for any longer."""


class SilentWatcher:
    """Nobody is watching."""

    def started(self, step: str, title: str, number: int, of: int) -> None:
        """Say nothing."""

    def skipped(self, step: str, why: str) -> None:
        """Say nothing."""

    def rollout(self, state: RolloutState) -> None:
        """Say nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""

    def succeeded(self, step: str, seconds: float) -> None:
        """Say nothing."""

    def failed(self, step: str, why: str) -> None:
        """Say nothing."""


