"""The same done to a real API server and to ours, and both compared: what was answered, what is there, and who owns it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from eksnetpol import errors
from eksnetpol.fields.apply import BadPatch, TestFailed
from eksnetpol.fields.values import copied
from eksnetpol.model.kinds import DAEMONSET, Json, Kind, ObjectRef
from eksnetpol.simulation.api_server import ApiObjects
from tests.fields.server import Answer, Server, place

NOT_SAID = "the server rejected our request due to an error in our request"
"""All that a real API server says of a JSON patch that cannot be done, be it a test that fails or a place that is not there."""

_GIVEN = ("uid", "creationTimestamp", "resourceVersion", "managedFields", "deletionTimestamp", "deletionGracePeriodSeconds")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one write: a word, and the fields a conflict is about."""

    word: str
    fields: frozenset[tuple[str, str]] = frozenset()


def real_outcome(answer: Answer) -> Outcome:
    """Return what came of a write of the real one."""
    if answer.ok:
        return Outcome("done")
    causes = answer.body.get("details", {}).get("causes", ())
    if answer.status == 409:
        if answer.body["reason"] == "AlreadyExists":
            return Outcome("busy" if "being deleted" in answer.body["message"] else "exists")
        told = (c for c in causes if c.get("reason") == "FieldManagerConflict")
        return Outcome("conflict", frozenset((c["field"], c["message"].split('"')[1]) for c in told))
    if answer.status == 422 and answer.body["message"] == NOT_SAID:
        return Outcome("patch refused")
    return Outcome({404: "not found", 400: "rejected", 422: "rejected", 500: "rejected"}[answer.status])


def invalid(answer: Answer) -> bool:
    """Say whether the object that came of it lacks something or has nothing where it must have: that is not validated by ours."""
    if answer.status != 422:
        return False
    causes = answer.body.get("details", {}).get("causes", ())
    return bool(causes) and {c["reason"] for c in causes} <= {"FieldValueRequired", "FieldValueTypeInvalid"}


_WORDS: dict[type[errors.EksNetpolError], str] = {
    errors.Conflict: "conflict",
    errors.Exists: "exists",
    errors.Busy: "busy",
    errors.NotFound: "not found",
    errors.Rejected: "rejected",
}


def our_outcome(act: Callable[[], object]) -> Outcome:
    """Return what came of a write of ours."""
    try:
        act()
    except errors.EksNetpolError as error:
        if isinstance(error.__cause__, (TestFailed, BadPatch)):
            return Outcome("patch refused")
        fields = error.fields if isinstance(error, errors.Conflict) else ()
        return Outcome(_WORDS[type(error)], frozenset(fields))
    return Outcome("done")


@dataclass
class Twin:
    """A real API server and one in memory, of which one object is looked at."""

    server: Server
    ref: ObjectRef
    ours: ApiObjects = field(default_factory=lambda: ApiObjects(lambda: datetime.now(UTC)))
    log: list[str] = field(default_factory=list)

    def create(self, obj: Json, manager: str) -> None:
        """Create it in both."""
        self._both(
            f"create as {manager}: {obj}", self.server.create(obj, manager), lambda: self.ours.create(obj, manager=manager)
        )

    def apply(self, obj: Json, manager: str, *, force: bool = False) -> None:
        """Apply it in both."""
        self._both(
            f"apply as {manager} (force: {force}): {obj}",
            self.server.apply(obj, manager, force=force),
            lambda: self.ours.apply(obj, manager=manager, force=force),
        )

    def patch(self, operations: list[Json], manager: str) -> None:
        """Do a JSON patch in both."""
        self._both(
            f"patch as {manager}: {operations}",
            self.server.patch(self.ref, operations, manager),
            lambda: self.ours.patch(self.ref, operations, manager=manager),
        )

    def replace(self, change: Callable[[Json], None], manager: str, *, stale: bool = False) -> None:
        """Read, change and write back; with *stale* as of a version that is no longer."""
        real, ours = self.server.get(self.ref), self.ours.get(self.ref)
        if real is None or ours is None:
            return
        for obj in (real, ours):
            change(obj)
            obj["metadata"].pop("managedFields", None)
            if stale:
                obj["metadata"]["resourceVersion"] = "999999999"
        told = f"replace as {manager} (stale: {stale}): {ours}"
        self._both(told, self.server.replace(real, manager), lambda: self.ours.replace(ours, manager=manager))

    def status(self, status: Json, manager: str) -> None:
        """Write its status in both."""
        real = self.server.get(self.ref)
        if real is None:
            return
        answer = self.server.replace(real | {"status": status}, manager, "status")
        self._both(f"status: {status}", answer, lambda: self.ours.write_status(self.ref, status, manager=manager))

    def delete(self, *, other_uid: bool = False) -> None:
        """Delete it in both, or not, for it is another that is meant."""
        uid = "11111111-1111-1111-1111-111111111111" if other_uid else ""
        self.log.append(f"delete (another uid: {other_uid})")
        before = self._versions()
        self.server.delete(self.ref, uid)
        self.ours.delete(self.ref, uid=uid)
        self._compare(before)

    def _both(self, told: str, answer: Answer, act: Callable[[], object]) -> None:
        self.log.append(told)
        before = self._last
        kept = self.ours.copy()
        real, ours = real_outcome(answer), our_outcome(act)
        if invalid(answer) and ours.word == "done":
            self.log.append("which left an object that is not valid: undone")
            self.ours = kept
            return
        assert real == ours, self._said(f"{answer.body}\nreal {real}\nours {ours}")
        self._compare(before)

    _last: tuple[str, str] = ("", "")

    def _versions(self) -> tuple[str, str]:
        real, ours = self.server.get(self.ref), self.ours.peek(self.ref)
        return tuple(o["metadata"]["resourceVersion"] if o else "" for o in (real, ours))  # type: ignore[return-value]

    def _compare(self, before: tuple[str, str]) -> None:
        real, ours = self.server.get(self.ref), self.ours.get(self.ref)
        assert (real is None) == (ours is None), self._said(f"real {real}\nours {ours}")
        self._last = self._versions()
        if real is None or ours is None:
            return
        wrote = tuple(old != new for old, new in zip(before, self._last, strict=True))
        assert wrote[0] == wrote[1], self._said(f"written: real {wrote[0]}, ours {wrote[1]}")
        assert books(real) == books(ours), self._said(f"owners\nreal {books(real)}\nours {books(ours)}")
        assert ("deletionTimestamp" in real["metadata"]) == ("deletionTimestamp" in ours["metadata"]), self._said("")
        left, right = plain(real), plain(self._defaulted(ours))
        assert left == right, self._said(f"real {left}\nours {right}")

    def completed(self, obj: Json) -> Json:
        """Return *obj* with what a real API server adds to it of its own."""
        found: Json = {name: value for name, value in self._defaulted(obj).items() if name != "status"}
        found["metadata"] = {name: value for name, value in found["metadata"].items() if name not in (*_GIVEN, "generation")}
        return found

    def _defaulted(self, ours: Json) -> Json:
        """Return our object as a real API server would have completed it; only DaemonSets are."""
        if ours["kind"] != DAEMONSET.name:
            return ours
        meta = {name: value for name, value in ours["metadata"].items() if name not in (*_GIVEN, "generation", "finalizers")}
        bare = {**ours, "metadata": meta | {"name": f"{self.ref.name}-completed"}}
        answer = self.server.create(bare, "completing", dryRun="All")
        assert answer.ok, self._said(str(answer.body))
        kept = {name: ours["metadata"][name] for name in ("name", "generation", "finalizers") if name in ours["metadata"]}
        return {**answer.body, "metadata": answer.body["metadata"] | kept}

    def _said(self, what: str) -> str:
        return "\n".join([*self.log, what])


def books(obj: Json) -> list[Json]:
    """Return who owns what, in order of their names; of times only whether there is one."""
    lines: list[Json] = copied(obj["metadata"].get("managedFields") or [])
    for line in lines:
        line["time"] = "time" in line
    return sorted(lines, key=lambda line: (line["manager"], line["operation"], line.get("subresource", "")))


def plain(obj: Json) -> Json:
    """Return *obj* without what each API server gives it by itself."""
    found: Json = copied(obj)
    for name in _GIVEN:
        found["metadata"].pop(name, None)
    if obj["kind"] == DAEMONSET.name:
        found.pop("status", None)
        # An old client's counter of templates, which the real one still keeps.
        found["metadata"].pop("annotations", None)
    return found


def of(kind: Kind, name: str, namespace: str = "", **more: Any) -> Json:
    """Return an object with that name."""
    where = {"namespace": namespace} if kind.namespaced else {}
    meta = {"name": name, **where, **more.pop("metadata", {})}
    return {"apiVersion": kind.api_version, "kind": kind.name, "metadata": meta, **more}


__all__ = ["Outcome", "Twin", "of", "place"]
