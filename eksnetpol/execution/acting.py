"""From an `Action` to calls of `Hands`: each one such that doing it again, after a crash or a lost answer, changes nothing more.

Objects are changed only as they were meant: applied without force but for the fields the plan names, deleted by uid, patched with
a test of what is replaced. What changed under us is read again and tried again a few times.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, assert_never

from eksnetpol.errors import Busy, Conflict, Exists, NotFound, Refused, StepFailed
from eksnetpol.execution import backups
from eksnetpol.execution.addon_acting import AddonActor
from eksnetpol.execution.draining import drain
from eksnetpol.execution.gathering import found_of, gathered, is_it, meant_by
from eksnetpol.execution.lease import Lease
from eksnetpol.execution.observe import Observer, restorable
from eksnetpol.execution.probing import probe
from eksnetpol.execution.progress import StepPast
from eksnetpol.execution.seeing import version_of
from eksnetpol.execution.waiting import PACE, OutOfPatience, Waiter
from eksnetpol.fields.keeping import kept
from eksnetpol.interfaces.acting import Clock, Hands, Journal, Watcher
from eksnetpol.model.actions import (
    Apply,
    BackUp,
    Create,
    CreateAddon,
    Delete,
    DeleteAddon,
    Evict,
    Look,
    ObjectId,
    Probe,
    Restore,
    StripFinalizer,
    UpdateAddon,
)
from eksnetpol.model.kinds import CLUSTER_ROLE, ROLE, Json
from eksnetpol.model.plan import Step

T = TypeVar("T")

TRIES = 5
"""How often a change is made to what is there now when it changed under us."""


class Actor:
    """Does what the steps of one run say. Every call that changes something is made while the Lease is ours."""

    def __init__(
        self, hands: Hands, journal: Journal, clock: Clock, watcher: Watcher, lease: Lease, waiter: Waiter, observer: Observer
    ) -> None:
        self._hands = hands
        self._journal = journal
        self._clock = clock
        self._watcher = watcher
        self._lease = lease
        self._waiter = waiter
        self._observer = observer

    def act(self, step: Step, past: StepPast) -> dict[str, Any] | None:  # noqa: C901, PLR0911 - one case an action
        """Do what *step* says and return what the journal is to keep of it; None where it became true before it was done.

        Raises `Refused` for a field that somebody else owns and the plan does not name, and what `Hands` raises.
        """
        action = step.action
        match action:
            case UpdateAddon() | CreateAddon() | DeleteAddon():
                return AddonActor(
                    self._hands, self._watcher, self._waiter, self._observer, self._change, self._journal.run, step, past
                ).act(action)
            case Apply():
                return self._apply(action)
            case Create():
                return self._create(action.object)
            case Delete():
                return self._delete(action)
            case StripFinalizer():
                return self._strip(action)
            case BackUp():
                return self._back_up(action)
            case Restore():
                return self._restore(action)
            case Evict():
                return drain(action, self._hands, self._waiter, self._watcher, self._change)
            case Probe():
                return probe(action, self._hands, self._journal, self._waiter, self._change)
            case Look():
                return {}
            case _:
                assert_never(action)

    def _change(self, do: Callable[[], T]) -> T:
        """Return what *do*, one change, returns: made while the Lease is ours, again while it fails in a way that may pass."""

        def changed() -> T:
            self._lease.ensure()
            return do()

        return self._waiter.call(changed)

    def _read(self, do: Callable[[], T]) -> T:
        return self._waiter.call(do)

    def _tried(self, what: object, do: Callable[[], T]) -> T:
        """Return what *do* returns, done anew up to `TRIES` times while the object changes under us."""
        for number in range(1, TRIES + 1):
            try:
                return do()
            except Conflict as error:
                if error.fields or number == TRIES:
                    raise
                self._watcher.note(f"{what} changed under us, read and tried again: {error}")
                self._waiter.pause(number)
        raise AssertionError  # the last round returns or raises

    # --- one object ---

    def _apply(self, action: Apply) -> dict[str, Any]:
        live, forced = self._tried(action.ref, lambda: self._applied(action))
        return _noted(action.ref, live) | ({"forced": True} if forced else {})

    def _applied(self, action: Apply) -> tuple[Json, bool]:
        wanted = action.object
        if action.keeps or action.takes:
            live = self._read(lambda: self._hands.get(action.ref))
            wanted = kept(live, action.object, drops=action.drops) if action.keeps else wanted
        try:
            return self._change(lambda: self._hands.apply(wanted)), False
        except Conflict as error:
            if not error.fields:
                raise
            refuse_others(action, error)
        # Force is bound to the object as it was before nobody else's fields were in the way.
        bound = {**wanted, "metadata": {**wanted["metadata"], "resourceVersion": version_of(live)}}
        return self._change(lambda: self._hands.apply(bound, force=True)), True

    def _create(self, found: Json) -> dict[str, Any]:
        made = self._made(found)
        return {"existed": True} if made is None else {"uid": made["metadata"].get("uid", "")}

    def _made(self, found: Json) -> Json | None:
        """Create an object and return it, None where there is one; one that is just going is waited for."""
        while True:
            try:
                return self._change(lambda: self._hands.create(found))
            except Exists:
                return None
            except Busy as error:
                if self._waiter.left <= 0:
                    raise OutOfPatience(str(error)) from error
                self._watcher.note(str(error))
                self._waiter.pause(PACE)

    # --- many objects ---

    def _delete(self, action: Delete) -> dict[str, Any]:
        live = self._read(lambda: gathered(self._hands, meant_by(action, self._hands)))
        meant = [one for one in live if not live[one]["metadata"].get("deletionTimestamp")]
        for one in meant:
            # Without a uid in the plan it is the one that was just seen, and none that comes after it.
            uid = one.uid or str(live[one]["metadata"].get("uid", ""))
            self._change(lambda one=one, uid=uid: self._hands.delete(one.ref, uid=uid))  # type: ignore[misc]
        return {"deleted": len(meant)}

    def _strip(self, action: StripFinalizer) -> dict[str, Any]:
        stripped = 0
        for one in self._read(lambda: meant_by(action, self._hands)):
            stripped += self._tried(one.ref, lambda one=one: self._stripped(one, action.finalizer))  # type: ignore[misc]
        return {"stripped": stripped}

    def _stripped(self, one: ObjectId, finalizer: str) -> bool:
        live = self._read(lambda: self._hands.get(one.ref))
        operations = stripping(live, one, finalizer)
        if not operations:
            return False
        try:
            self._change(lambda: self._hands.patch(one.ref, operations))
        except NotFound:
            return False
        return True

    def _back_up(self, action: BackUp) -> dict[str, Any]:
        meant = self._read(lambda: meant_by(action, self._hands))
        found = self._read(lambda: gathered(self._hands, meant))
        whole = [{**live, "apiVersion": one.ref.api_version, "kind": one.ref.kind} for one, live in found.items()]
        gone = [one.ref for one in meant if one not in found]
        digest = self._journal.save(action.file, backups.written(self._journal.run, self._clock.now(), whole, gone))
        return {"file": action.file, "digest": digest, "objects": len(whole)}

    def _restore(self, action: Restore) -> dict[str, Any]:
        file = restorable(self._journal, action.file, action.digest, action.run)
        there = self._read(lambda: found_of(self._hands, file.refs))
        created = 0
        for ref, found in file.by_ref.items():
            if ref in there:
                continue
            try:
                created += self._put_back(backups.afresh(found))
            except NotFound as error:
                raise StepFailed(f"{ref} cannot be created again: {error}; does its namespace still exist?") from error
        return {"created": created}


    def _put_back(self, found: Json) -> bool:
        """Create an object again, and return whether there was none."""
        if found["kind"] in _ROLES:
            # Whoever may escalate a role by name may do so where its name is in the path, as it is when it is applied.
            self._change(lambda: self._hands.apply(found))
            return True
        return self._made(found) is not None


_ROLES = frozenset({CLUSTER_ROLE.name, ROLE.name})


def refuse_others(action: Apply, error: Conflict) -> None:
    """Raise `Refused` where *error* names a field that *action* may not take."""
    ours = {(taking.path, taking.manager) for taking in action.takes}
    others = [(path, manager) for path, manager in error.fields if (path, manager) not in ours]
    if others:
        told = ", ".join(f"{path} of {manager}" for path, manager in others)
        raise Refused(
            f"{action.ref}: {told}: the plan does not say that this is to be taken over; let its owner make the change "
            "(eksnetpol render), or make a new plan"
        ) from error


def stripping(live: Json | None, meant: ObjectId, finalizer: str) -> list[Json]:
    """Return the patch that takes *finalizer* off *live*, empty where it is not on it. It fails if the list has changed."""
    if live is None or not is_it(live, meant):
        return []
    finalizers = list(live["metadata"].get("finalizers") or ())
    if finalizer not in finalizers:
        return []
    uid = live["metadata"].get("uid")
    return [
        *([{"op": "test", "path": "/metadata/uid", "value": uid}] if uid else []),
        {"op": "test", "path": "/metadata/finalizers", "value": finalizers},
        {"op": "replace", "path": "/metadata/finalizers", "value": [one for one in finalizers if one != finalizer]},
    ]


def _noted(ref: object, live: Json) -> dict[str, Any]:
    meta = live.get("metadata") or {}
    return {"object": str(ref), "uid": meta.get("uid", ""), "resourceVersion": version_of(live)}
