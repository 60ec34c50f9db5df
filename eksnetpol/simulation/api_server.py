"""An API server in memory: objects, their versions, their owners field by field, and their end.

It does what kube-apiserver does with an object that is valid: nothing is defaulted, and nothing refused but what is about names,
versions, fields' owners and kinds that are not served. Controllers are whoever listens to `ApiObjects.after_change`.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from datetime import datetime

from eksnetpol.errors import Busy, Conflict, Exists, NotFound, Rejected
from eksnetpol.fields.apply import BadPatch, DuplicateEntry, FieldConflict, TestFailed, applied, patched, written
from eksnetpol.fields.managers import stamp
from eksnetpol.fields.owners import MANAGER
from eksnetpol.fields.structure import as_kept
from eksnetpol.fields.values import copied, same
from eksnetpol.model.kinds import DEFINITION, Json, Kind, ObjectRef
from eksnetpol.simulation.reading import Readable
from eksnetpol.simulation.served import (
    CLEAN_UP,
    DEFINITIONS,
    counts_generations,
    established,
    is_custom,
    wants_something_else,
)
from eksnetpol.simulation.store import Change, family_of, owner_uids

__all__ = ["ApiObjects", "Change"]

_KEPT = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation")
"""What no write changes: it stays as it was, whatever is sent."""

_OTHER_UID = "the UID in the precondition is not its own"
_KEPT_STATUS = frozenset({"Node"})
"""Kinds whose status may be given when they are made, although it is written apart later."""


class ApiObjects(Readable):
    """The objects of one cluster, and what can be done to them: the Kubernetes half of `interfaces.acting.Hands`.

    What `get` and all that write return is the caller's own; what `objects`, `watch` and `peek` return is shared and must not be
    changed. *now* tells the time; *manager* is who writes where nobody else is named; *serving* are custom kinds that are there
    although their definition is not known.
    """

    def __init__(self, now: Callable[[], datetime], *, manager: str = MANAGER, serving: Iterable[Kind] = ()) -> None:
        super().__init__(serving=serving)
        self.now = now
        self.manager = manager
        self.after_change: list[Callable[[Change], None]] = []
        """Told of every change when it has been made, in order; who is told may write."""

    def copy(self, now: Callable[[], datetime] | None = None) -> ApiObjects:
        """Return a cluster that goes its own way from here, cheap however large it is. Nobody listens to it yet."""
        other = ApiObjects(now or self.now, manager=self.manager)
        other._serving = self._serving
        other._store = self._store.copy()
        return other

    # --- writing ---------------------------------------------------------------------------------------------------------

    def create(self, obj: Json, *, dry_run: bool = False, manager: str = "") -> Json:
        """Create an object; raise `errors.Exists` where there is one of that name, `errors.Busy` where that is being deleted."""
        obj = self._named(copied(obj))
        ref = self._served(obj, "create")
        there = self._store.get(ref)
        if there is not None and "deletionTimestamp" in there["metadata"]:
            raise Busy(f"could not create {_what(ref)}: object is being deleted: {_called(ref)} already exists")
        if there is not None:
            raise Exists(f"could not create {_what(ref)}: {_called(ref)} already exists")
        if obj["metadata"].get("resourceVersion"):
            raise Rejected(f"will not create {_what(ref)}: resourceVersion should not be set on objects to be created")
        layout = self._layout(obj)
        if layout.status and obj["kind"] not in _KEPT_STATUS:
            obj.pop("status", None)
        obj = as_kept(obj, layout)
        new = written(None, obj, manager=manager or self.manager, now=self.now(), layout=layout)
        return self._made(ref, new, dry_run=dry_run)

    def apply(self, obj: Json, *, force: bool = False, dry_run: bool = False, manager: str = "") -> Json:
        """Apply server-side; raise `errors.Conflict` with its fields where others own them and not *force*."""
        obj = copied(obj)
        ref = self._served(obj, "patch")
        live = self._store.get(ref)
        layout = self._layout(obj)
        self._same_version(ref, live, obj, "patch")
        try:
            new = applied(live, obj, manager=manager or self.manager, force=force, now=self.now(), layout=layout)
        except FieldConflict as conflict:
            fields = tuple((field.path, owner) for field in conflict.fields for owner in field.managers)
            raise Conflict(f"could not patch {_what(ref)}: {conflict}", fields=fields) from conflict
        except DuplicateEntry as error:
            raise Rejected(f"will not patch {_what(ref)}: {error}") from error
        new = as_kept(new, layout)
        return self._made(ref, new, dry_run=dry_run) if live is None else self._changed(ref, live, new, dry_run=dry_run)

    def patch(self, ref: ObjectRef, operations: list[Json], *, dry_run: bool = False, manager: str = "") -> Json:
        """Do a JSON patch; raise `errors.Conflict` where one of its tests fails, `errors.NotFound` without object."""
        live = self._there(ref, "patch")
        try:
            new = patched(live, operations)
        except TestFailed as error:
            raise Conflict(f"could not patch {_what(ref)}: it is no longer as it was when this was decided ({error})") from error
        except BadPatch as error:
            raise Rejected(f"will not patch {_what(ref)}: {error}") from error
        return self._updated(ref, live, new, "patch", dry_run=dry_run, manager=manager)

    def replace(self, obj: Json, *, dry_run: bool = False, manager: str = "") -> Json:
        """Put *obj* in the place of the one with the same resourceVersion; raise `errors.Conflict` where that has changed."""
        obj = copied(obj)
        ref = self._served(obj, "update")
        live = self._there(ref, "update")
        return self._updated(ref, live, obj, "update", dry_run=dry_run, manager=manager)

    def write_status(self, ref: ObjectRef, status: Json, *, manager: str) -> Json:
        """Write the status of an object, as its controller does."""
        live = self._there(ref, "update")
        new = {**live, "status": copied(status)}
        new = written(live, new, manager=manager, now=self.now(), subresource="status", layout=self._layout(live))
        return self._changed(ref, live, new, dry_run=False)

    def put(self, obj: Json) -> Json:
        """Put an object as it is, books included: for who plays a controller on thousands of objects and needs no record of it.

        *obj* is shared from then on and must not be changed; so is what is returned.
        """
        ref = ObjectRef.of(obj)
        if self._store.get(ref) is None:
            obj = {**obj, "metadata": {"uid": self._uid(), "creationTimestamp": stamp(self.now()), **obj["metadata"]}}
        after = self._announce(self._store.put(ref, obj)).after
        assert after is not None  # noqa: S101 - it was just put
        return after

    def delete(self, ref: ObjectRef, *, uid: str = "", dry_run: bool = False) -> None:
        """Delete an object, only the one with *uid* where it is given. One that is not there, or another by then, is no error.

        With finalizers it stays, marked, until they are gone. What it alone owns goes after it.
        """
        live = self.peek(ref)
        if live is None or dry_run or (uid and live["metadata"].get("uid") != uid):
            return
        if family_of(ref) == DEFINITIONS and CLEAN_UP not in live["metadata"].get("finalizers", ()):
            finalizers = [*live["metadata"].get("finalizers", ()), CLEAN_UP]
            live = {**live, "metadata": {**live["metadata"], "finalizers": finalizers}}
        if not live["metadata"].get("finalizers"):
            self._gone(ref, live)
        elif "deletionTimestamp" not in live["metadata"]:
            meta = {**live["metadata"], "deletionTimestamp": stamp(self.now()), "deletionGracePeriodSeconds": 0}
            if "generation" in meta:
                meta["generation"] += 1
            self._announce(self._store.put(ref, {**live, "metadata": meta}))
        self._clean_up(ref)

    # --- what all writes have in common ------------------------------------------------------------------------------------

    def _served(self, obj: Json, verb: str) -> ObjectRef:
        try:
            ref = ObjectRef.of(obj)
        except KeyError as missing:
            raise Rejected(f"will not {verb} an object without {missing}") from None
        if not self._serves(family_of(ref)):
            raise NotFound(f"there is nothing to {verb} {_what(ref)} (404: the kind is not served)", kind=_what(ref))
        return ref

    def _there(self, ref: ObjectRef, verb: str) -> Json:
        found = self.peek(ref)
        if found is None:
            raise NotFound(
                f"there is nothing to {verb} {_what(ref)} (404: {_called(ref)} not found)", kind=_what(ref), name=ref.name
            )
        return found

    @staticmethod
    def _same_version(ref: ObjectRef, live: Json | None, obj: Json, verb: str) -> None:
        """Refuse what was made from another state of the object, or from another object of its name."""
        meta, old = obj["metadata"], (live or {}).get("metadata", {})
        for name in ("uid", "resourceVersion"):
            if meta.get(name) and meta[name] != old.get(name, ""):
                raise Conflict(
                    f"could not {verb} {_what(ref)}: it changed meanwhile: Operation cannot be fulfilled on {_called(ref)}: "
                    "the object has been modified; please apply your changes to the latest version and try again"
                )

    def _updated(self, ref: ObjectRef, live: Json, new: Json, verb: str, *, dry_run: bool, manager: str) -> Json:
        self._same_version(ref, live, new, verb)
        if ObjectRef.of(new) != ref:
            raise Rejected(f"will not {verb} {_what(ref)}: the name of an object does not change")
        layout = self._layout(live)
        if layout.status:
            new = {name: value for name, value in new.items() if name != "status"}
            new |= {"status": live["status"]} if "status" in live else {}
        meta = {name: value for name, value in new["metadata"].items() if name not in _KEPT}
        meta |= {name: live["metadata"][name] for name in _KEPT if name in live["metadata"]}
        new = as_kept({**new, "metadata": meta}, layout)
        new = written(live, new, manager=manager or self.manager, now=self.now(), layout=layout)
        return self._changed(ref, live, new, dry_run=dry_run)

    def _named(self, obj: Json) -> Json:
        meta = obj.get("metadata", {})
        if "name" not in meta and meta.get("generateName"):
            meta["name"] = f"{meta['generateName']}{self._store.version + 1:05x}"
        return obj

    def _uid(self) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"simulated/{self._store.version}"))

    def _made(self, ref: ObjectRef, new: Json, *, dry_run: bool) -> Json:
        given: Json = {"uid": self._uid(), "creationTimestamp": stamp(self.now())}
        given |= {"generation": 1} if counts_generations(new) else {}
        meta = {name: value for name, value in new["metadata"].items() if name not in _KEPT} | given
        new = {**new, "metadata": meta}
        if dry_run:
            return _own(new)
        if family_of(ref) == DEFINITIONS:
            new = established(new, stamp(self.now()))
        return self._stored(ref, new)

    def _changed(self, ref: ObjectRef, live: Json, new: Json, *, dry_run: bool) -> Json:
        if same(_timeless(live), _timeless(new)):
            return _own(live)  # nothing but a time of the books would change: no write
        late = set(new["metadata"].get("finalizers", ())) - set(live["metadata"].get("finalizers", ()))
        if late and "deletionTimestamp" in live["metadata"]:
            raise Rejected(
                f"will not change {_what(ref)}: {_called(ref)} is being deleted and gets no new finalizers ({min(late)})"
            )
        if counts_generations(live) and wants_something_else(live, new, self._layout(live)):
            meta = {**new["metadata"], "generation": int(live["metadata"].get("generation", 0)) + 1}
            new = {**new, "metadata": meta}
        if dry_run:
            return _own(new)
        if family_of(ref) == DEFINITIONS:
            new = {**new, "status": established(new, stamp(self.now()))["status"]} if "status" not in new else new
        if "deletionTimestamp" in new["metadata"] and not new["metadata"].get("finalizers"):
            self._gone(ref, new)
            return _own(new)
        return self._stored(ref, new)

    def _stored(self, ref: ObjectRef, new: Json) -> Json:
        after = self._announce(self._store.put(ref, new)).after
        return _own(after or new)

    def _announce(self, change: Change) -> Change:
        if family_of(change.ref) == DEFINITIONS:
            self._forget_definitions()
        for listener in tuple(self.after_change):
            listener(change)
        return change

    # --- the end of objects ------------------------------------------------------------------------------------------------

    def _gone(self, ref: ObjectRef, live: Json) -> None:
        self._announce(self._store.put(ref, None))
        uid = str(live["metadata"].get("uid", ""))
        dependents = self._store.dependents(uid) if uid else frozenset()
        for dependent in sorted(dependents):
            found = self._store.get(dependent)
            others = owner_uids(found) - {uid}
            if found is not None and not (others and others & self._store.uids()):
                self.delete(dependent)
        self._finish_definitions(ref)

    def _clean_up(self, ref: ObjectRef) -> None:
        """Delete the objects of a CustomResourceDefinition that is to go, and then itself."""
        live = self._store.get(ref)
        if live is None or family_of(ref) != DEFINITIONS:
            return
        spec = live.get("spec", {})
        versions = [str(one["name"]) for one in spec.get("versions", ())]
        for version in versions:
            family = (f"{spec.get('group')}/{version}", str(spec.get("names", {}).get("kind")))
            for namespace, name in tuple(self._store.family(family)):
                self.delete(ObjectRef(*family, name, namespace))
        self._finish(ref, live)

    def _finish_definitions(self, ref: ObjectRef) -> None:
        """When the last object of a kind went, its definition may go as well."""
        if not is_custom(ref.api_version):
            return
        definition = self._definition(family_of(ref))
        if definition is not None and "deletionTimestamp" in definition["metadata"]:
            self._finish(ObjectRef.to(DEFINITION, definition["metadata"]["name"]), definition)

    def _finish(self, ref: ObjectRef, definition: Json) -> None:
        spec = definition.get("spec", {})
        kind = str(spec.get("names", {}).get("kind"))
        versions = [f"{spec.get('group')}/{one['name']}" for one in spec.get("versions", ())]
        if any(self._store.family((version, kind)) for version in versions) or self._store.get(ref) is None:
            return
        left = [name for name in definition["metadata"].get("finalizers", ()) if name != CLEAN_UP]
        new = {**definition, "metadata": {**definition["metadata"], "finalizers": left}}
        if left:
            self._announce(self._store.put(ref, new))
        else:
            self._gone(ref, new)


def _own(obj: Json) -> Json:
    found: Json = copied(obj)
    return found


def _timeless(obj: Json) -> Json:
    """Return *obj* without its version and the times of its books: what is left is worth a write when it differs."""
    meta = {name: value for name, value in obj["metadata"].items() if name != "resourceVersion"}
    if "managedFields" in meta:
        meta["managedFields"] = [
            {name: value for name, value in line.items() if name != "time"} for line in meta["managedFields"]
        ]
    return {**obj, "metadata": meta}


def _what(ref: ObjectRef) -> str:
    """Return the kind as a rule of RBAC says it: ``daemonsets.apps``."""
    return str(ref.of_kind)


def _called(ref: ObjectRef) -> str:
    return f'{ref.of_kind} "{ref.name}"'
