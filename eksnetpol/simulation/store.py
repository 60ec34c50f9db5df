"""Objects in memory as an API server keeps them: by name, with versions, and with what happened to each.

Objects are never changed in place, only replaced, so a copy of the whole shares them all and is cheap.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from eksnetpol.model.kinds import CLUSTER_POLICY_ENDPOINT, POLICY_ENDPOINT, Json, ObjectRef

Family = tuple[str, str]
"""apiVersion and kind."""

Name = tuple[str, str]
"""Namespace, empty for what belongs to the whole cluster, and name."""


UNWATCHED: frozenset[Family] = frozenset((kind.api_version, kind.name) for kind in (POLICY_ENDPOINT, CLUSTER_POLICY_ENDPOINT))
"""Kinds that nobody watches one by one: what became of their objects is not kept, for they are many, large and short-lived."""


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one object at *version*: made where there is no ``before``, gone where there is no ``after``."""

    ref: ObjectRef
    version: int
    before: Json | None
    after: Json | None


def family_of(ref: ObjectRef) -> Family:
    """Return which objects *ref* is among."""
    return ref.api_version, ref.kind


@dataclass(slots=True)
class Store:
    """All objects. ``version`` is that of the last change."""

    version: int = 0
    _objects: dict[Family, dict[Name, Json]] = field(default_factory=dict)
    _history: dict[ObjectRef, list[Change]] = field(default_factory=dict)
    _dependents: dict[str, set[ObjectRef]] | None = None

    def get(self, ref: ObjectRef) -> Json | None:
        """Return an object."""
        return self._objects.get(family_of(ref), {}).get((ref.namespace, ref.name))

    def family(self, family: Family) -> Mapping[Name, Json]:
        """Return all objects of a kind by their names."""
        return self._objects.get(family, {})

    def load(self, objects: Iterable[Json]) -> None:
        """Take objects as they are; whoever is there already by that name is replaced. That is no change anybody hears of."""
        for obj in objects:
            ref = ObjectRef.of(obj)
            self._objects.setdefault(family_of(ref), {})[ref.namespace, ref.name] = obj
            found = str(obj["metadata"].get("resourceVersion", ""))
            if found.isdecimal():
                self.version = max(self.version, int(found))
        self._dependents = None

    def put(self, ref: ObjectRef, after: Json | None) -> Change:
        """Replace, make or drop (None) an object; one that stays gets the new version as its own."""
        self.version += 1
        objects = self._objects.setdefault(family_of(ref), {})
        name = (ref.namespace, ref.name)
        before = objects.get(name)
        if after is None:
            objects.pop(name, None)
        else:
            after = {**after, "metadata": {**after["metadata"], "resourceVersion": str(self.version)}}
            objects[name] = after
        self._depend(ref, before, after)
        change = Change(ref, self.version, before, after)
        if family_of(ref) not in UNWATCHED:
            self._history.setdefault(ref, []).append(change)
        return change

    def since(self, ref: ObjectRef, version: int) -> Iterator[Change]:
        """Return what happened to an object after *version*."""
        return (change for change in tuple(self._history.get(ref, ())) if change.version > version)

    def dependents(self, uid: str) -> frozenset[ObjectRef]:
        """Return which objects name the object with *uid* as an owner."""
        if self._dependents is None:
            self._dependents = {}
            for family, objects in self._objects.items():
                for (namespace, name), obj in objects.items():
                    if "ownerReferences" in obj["metadata"]:
                        self._depend(ObjectRef(*family, name, namespace), None, obj)
        return frozenset(self._dependents.get(uid, ()))

    def _depend(self, ref: ObjectRef, before: Json | None, after: Json | None) -> None:
        if self._dependents is None:
            return
        old, new = owner_uids(before), owner_uids(after)
        for uid in old - new:
            self._dependents.get(uid, set()).discard(ref)
        for uid in new - old:
            self._dependents.setdefault(uid, set()).add(ref)

    def uids(self) -> frozenset[str]:
        """Return the uids of all objects."""
        return frozenset(str(o["metadata"].get("uid", "")) for objects in self._objects.values() for o in objects.values())

    def copy(self) -> Store:
        """Return a store that goes its own way from here; its history begins anew."""
        return Store(self.version, {family: dict(objects) for family, objects in self._objects.items()})


def owner_uids(obj: Json | None) -> frozenset[str]:
    """Return the uids of the owners that *obj* names."""
    if obj is None:
        return frozenset()
    return frozenset(str(owner.get("uid", "")) for owner in obj["metadata"].get("ownerReferences") or ())
