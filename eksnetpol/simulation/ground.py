"""The objects of a simulated cluster, taken out of its snapshot kind by kind when somebody first asks.

A cluster of 10,000 policies is rehearsed without making an object of each, as long as nobody looks at them.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from msgspec.structs import replace

from eksnetpol.model import kubernetes as k8s
from eksnetpol.model.kinds import (
    APPLICATION_POLICY,
    CLUSTER_POLICY,
    CLUSTER_POLICY_ENDPOINT,
    CLUSTER_ROLE,
    CLUSTER_ROLE_BINDING,
    DEFINITION,
    KINDS,
    NAMESPACE,
    NETWORK_POLICY,
    POLICY_ENDPOINT,
    Json,
    Kind,
    ObjectRef,
)
from eksnetpol.model.snapshot import ClusterSnapshot, Seen, Unread
from eksnetpol.simulation.api_server import ApiObjects, Change
from eksnetpol.simulation.sections import SECTIONS, is_of, kinds_of, objects, seen, structs
from eksnetpol.simulation.served import is_custom

UNKNOWN_OWNER: Json = {
    "manager": "",
    "operation": "Update",
    "fieldsType": "FieldsV1",
    "fieldsV1": {"f:metadata": {"f:generateName": {}}},
}
"""Stands in an object's books where a snapshot did not keep who owns what: conflicts about such fields cannot be rehearsed.

Without it the API server's rule for objects that nobody was ever recorded for would invent an owner of everything.
"""

_POLICIES = (NETWORK_POLICY, APPLICATION_POLICY, CLUSTER_POLICY)
_MADE_OF_POLICIES = (POLICY_ENDPOINT, CLUSTER_POLICY_ENDPOINT)


class Ground:
    """Objects by kind. What is returned by reading is shared and must not be changed.

    ``api`` has only the kinds that were asked for here: go through `of` to be sure that it has one.
    """

    def __init__(self, snapshot: ClusterSnapshot, now: Callable[[], datetime]) -> None:
        self._snapshot = snapshot
        self._loaded: set[Kind] = set()
        self._suppliers: dict[Kind, Callable[[], Iterator[Json]]] = {}
        self._withheld: dict[Kind, Callable[[], str]] = {}
        self._marks: dict[Kind, list[Callable[[Json], Json]]] = {}
        self._versions: Counter[Kind] = Counter()
        definitions = snapshot.crds
        unknown = tuple(k for k in KINDS if is_custom(k.api_version)) if isinstance(definitions, Unread) else ()
        self.pods_now: Callable[[], tuple[k8s.Pod, ...]] | None = None
        """Where it is known that pods came and went: those there are now."""
        self.api = ApiObjects(now, serving=unknown)
        self.api.after_change.append(self._noticed)

    @property
    def nodes(self) -> tuple[k8s.Node, ...]:
        """The nodes, as the snapshot has them; none where they were not read."""
        section = self._snapshot.nodes
        return section.value if isinstance(section, Seen) else ()

    def knows(self, kind: Kind) -> bool:
        """Say whether the snapshot tells which objects of *kind* there are."""
        return kind not in SECTIONS or isinstance(getattr(self._snapshot, SECTIONS[kind].name), Seen)

    def is_loaded(self, kind: Kind) -> bool:
        """Say whether objects of *kind* were made: until then nothing happened to any of them."""
        return kind in self._loaded

    def serves(self, kind: Kind) -> bool:
        """Say whether the API server has such a kind."""
        if is_custom(kind.api_version) and self.knows(DEFINITION):
            self.of(DEFINITION)
        return self.api.serves(kind)

    def of(self, kind: Kind) -> ApiObjects:
        """Return the API server with the objects of *kind* in it; raise `EksNetpolError` where no look told them."""
        if kind not in self._loaded:
            if is_custom(kind.api_version) and self.knows(DEFINITION):
                self.of(DEFINITION)
            found = self._found(kind)
            self._loaded.add(kind)
            self.api.load(found)
        return self.api

    def get(self, ref: ObjectRef) -> Json | None:
        """Return an object, None where there is none."""
        return self.of(ref.of_kind).peek(ref)

    def objects(self, kind: Kind) -> tuple[Json, ...]:
        """Return the objects of a kind."""
        return self.of(kind).objects(kind)

    def known(self, kind: Kind) -> tuple[Json, ...]:
        """Return the objects of a kind, none where no look told them or nobody serves it."""
        return self.objects(kind) if self.knows(kind) and self.serves(kind) else ()

    def count(self, kind: Kind) -> int:
        """Return how many objects of *kind* there are, 0 where that is not known; makes none where it can be told without."""
        if not self.knows(kind):
            return 0
        if kind in self._loaded or kind in self._suppliers:
            return len(self.objects(kind)) if self.serves(kind) else 0
        return len(seen(self._snapshot, kind))

    def put(self, obj: Json) -> None:
        """Put an object as it is, as a controller does; one that is being deleted and is held by nothing any more goes."""
        ref = ObjectRef.of(obj)
        api = self.of(ref.of_kind)
        api.put(obj)
        if obj["metadata"].get("deletionTimestamp") and not obj["metadata"].get("finalizers"):
            api.delete(ref)

    def version(self, kind: Kind) -> int:
        """Return a number that grows whenever an object of *kind* changes."""
        return self._versions[kind]

    def supply(self, kind: Kind, supplier: Callable[[], Iterator[Json]], withheld: Callable[[], str]) -> None:
        """From now on the objects of *kind*, of which none were made yet, are those that *supplier* yields.

        *withheld* returns why a look is not given them, empty where it is.
        """
        self._suppliers[kind] = supplier
        self._withheld[kind] = withheld
        self._versions[kind] += 1

    def mark(self, kind: Kind, change: Callable[[Json], Json]) -> None:
        """Do *change* to all objects of *kind*: at once where they were made, else when they are.

        *change* returns its argument where there is nothing to change.
        """
        if kind in self._loaded:
            for obj in self.api.objects(kind):
                changed = change(obj)
                if changed is not obj:
                    self.put(changed)
        else:
            self._marks.setdefault(kind, []).append(change)
            self._versions[kind] += 1

    def delete(self, ref: ObjectRef, *, uid: str = "", dry_run: bool = False) -> None:
        """Delete an object as the API server does, and let what belongs to it go."""
        api = self.of(ref.of_kind)
        for kind in _MADE_OF_POLICIES if ref.of_kind in _POLICIES else ():
            # Garbage is only collected where it is seen; what is made of policies later is made without this one.
            if kind not in self._suppliers and self.knows(kind):
                self.of(kind)
        if ref.of_kind == DEFINITION:
            # Its objects go with it, those too that nobody has asked for yet.
            for kind in KINDS:
                if str(kind) == ref.name and self.knows(kind):
                    self.of(kind)
        if ref.of_kind != NAMESPACE or dry_run:
            api.delete(ref, uid=uid, dry_run=dry_run)
            return
        live = api.peek(ref)
        if live is not None and not live["metadata"].get("deletionTimestamp") and uid in {"", live["metadata"].get("uid")}:
            stamp = self.api.now().strftime("%Y-%m-%dT%H:%M:%SZ")
            ending = {**live["metadata"], "deletionTimestamp": stamp}
            api.put({**live, "metadata": ending, "status": {**live.get("status", {}), "phase": "Terminating"}})

    def empty(self, namespace: str) -> int:
        """Delete what is in *namespace*, of all kinds that are known; return how many objects hold on."""
        left = 0
        for kind in KINDS:
            if kind.namespaced and kind in SECTIONS and self.knows(kind) and self.serves(kind):
                for obj in self.of(kind).objects(kind, namespace=namespace):
                    self.delete(ObjectRef.of(obj))
                left += len(self.api.objects(kind, namespace=namespace))
        return left

    # --- what a look would see -----------------------------------------------------------------------------------------

    def sections(self, wanted: Iterable[Kind]) -> dict[str, Seen[object] | Unread]:
        """Return the sections of a snapshot for those of *wanted* whose objects changed, by name."""
        changed = (kind for kind in wanted if kind in SECTIONS and self.knows(kind) and self._versions[kind])
        return {name: self._section(name) for name in dict.fromkeys(SECTIONS[kind].name for kind in changed)}

    def snapshot_of_policies(self) -> ClusterSnapshot:
        """Return the snapshot with the policies there are now, and the pods."""
        pods = {} if self.pods_now is None else {"pods": Seen(self.pods_now())}
        return replace(self._snapshot, **self.sections((*_POLICIES, NAMESPACE)), **pods)

    def _section(self, name: str) -> Seen[object] | Unread:
        former = getattr(self._snapshot, name)
        kinds = kinds_of(name)
        why = next((told for kind in kinds if kind in self._withheld and (told := self._withheld[kind]())), "")
        if why:
            return Unread(why)
        found: list[object] = []
        for kind in kinds:
            if self.serves(kind):
                found += structs(kind, map(_as_a_look_sees_it, self.objects(kind)))
        if len(kinds) > 1:
            # What is there of kinds that nothing is done to here stays as it was.
            found += [one for one in former.value if not any(is_of(one, kind) for kind in kinds)]
        return Seen(tuple(found), former.complete)

    # --- how ------------------------------------------------------------------------------------------------------------

    def _found(self, kind: Kind) -> Iterable[Json]:
        if kind not in SECTIONS:
            return ()
        supplier = self._suppliers.pop(kind, None)
        made = supplier() if supplier is not None else map(_taken, objects(kind, seen(self._snapshot, kind)))
        marks = self._marks.pop(kind, ())
        if not marks:
            return made
        return (_marked(obj, marks) for obj in made)

    def _noticed(self, change: Change) -> None:
        self._versions[change.ref.of_kind] += 1


def _marked(obj: Json, marks: Iterable[Callable[[Json], Json]]) -> Json:
    for mark in marks:
        obj = mark(obj)
    return obj


def _taken(obj: Json) -> Json:
    """Return an object of a snapshot as the API server in memory needs it: with a uid, and with books."""
    metadata = obj["metadata"]
    if not any(line.get("fieldsV1") for line in metadata.get("managedFields", ())):
        metadata = {**metadata, "managedFields": [*metadata.get("managedFields", ()), UNKNOWN_OWNER]}
    if not metadata.get("uid"):
        place = "/".join((obj["kind"], metadata.get("namespace", ""), metadata.get("name", "")))
        metadata = {**metadata, "uid": str(uuid.uuid5(uuid.NAMESPACE_URL, place))}
    return {**obj, "metadata": metadata}


_OWNERS_KEPT = {("DaemonSet", "aws-node"), ("ConfigMap", "amazon-vpc-cni")}
"""Objects of which a look keeps who owns which field."""
_WRITERS_KEPT = {DEFINITION.name, CLUSTER_ROLE.name, CLUSTER_ROLE_BINDING.name}
"""Kinds of whose objects a look keeps who writes them, and custom kinds; of all else it keeps nothing of that."""


def _as_a_look_sees_it(obj: Json) -> Json:
    metadata = obj["metadata"]
    lines = [line for line in metadata.get("managedFields", ()) if line != UNKNOWN_OWNER and line.get("manager")]
    if obj["kind"] in _WRITERS_KEPT or is_custom(obj["apiVersion"]):
        lines = [{k: v for k, v in line.items() if k != "fieldsV1"} for line in lines]
    elif (obj["kind"], metadata["name"]) not in _OWNERS_KEPT:
        lines = []
    return {**obj, "metadata": {**metadata, "managedFields": lines}}
