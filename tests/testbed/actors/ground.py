"""A real API server as those of ``eksnetpol.simulation`` know their own one, so that the same ones act on it.

What is read is what watches told, what is written goes to the server. It is turned by one thread, see `stage`.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from queue import Empty

from eksnetpol.model.kinds import NODE, POD, Json, Kind, ObjectRef
from eksnetpol.simulation.addresses import Addresses
from eksnetpol.simulation.nodes import Nodes
from eksnetpol.simulation.pods import Owner, Phase, PodTable, SimPod, pod_of
from eksnetpol.simulation.store import Change
from tests.fields.server import Answer, Server, place
from tests.testbed.actors.feed import Event, Feed

OPERATOR = "operator"
NEVER = {"testbed.example.org/ready": "never"}
"""Label of nodes that kwok never lets get ready."""
CONFLICT = 409


class LiveGround:
    """What `simulation.ground.Ground` is to those who act; *feed* has to watch all that they ask for.

    A write that meets another one is let go of, as an operator's is: what is there then is looked at again.
    """

    def __init__(self, server: Server, feed: Feed) -> None:
        self._server, self._feed = server, feed
        self._there: dict[Kind, dict[ObjectRef, Json]] = {kind: {} for kind in feed.kinds}
        self._versions: Counter[Kind] = Counter()
        self.after_change: list[Callable[[Change], object]] = []
        self.log: list[Event] = []
        """All that was taken in."""
        self.refused: list[Answer] = []
        """What the server did not take, but for conflicts."""
        self.dead: set[str] = set()
        """Names of nodes that never get ready."""

    def take(self) -> int:
        """Take in what was heard; return how much that was."""
        count = 0
        while True:
            try:
                event = self._feed.heard.get_nowait()
            except Empty:
                return count
            count += 1
            self._take(event)

    def _take(self, event: Event) -> None:
        self.log.append(event)
        ref = event.ref
        there = self._there[ref.of_kind]
        before = there.pop(ref, None)
        if event.after is not None:
            there[ref] = event.after
        self._versions[ref.of_kind] += 1
        for told in self.after_change:
            told(Change(ref, event.version, before, event.after))

    # --- what `Ground` has ---

    @property
    def api(self) -> LiveGround:
        """Itself: of its parts nobody is asked for another one."""
        return self

    def now(self) -> datetime:
        """Return the time."""
        return datetime.now(UTC)

    def of(self, kind: Kind) -> LiveGround:
        """Return the server."""
        del kind
        return self

    def knows(self, kind: Kind) -> bool:
        """Say whether a kind is watched."""
        return kind in self._there

    def serves(self, kind: Kind) -> bool:
        """Say whether there is such a kind."""
        return self._feed.served.get(kind, False)

    def known(self, kind: Kind) -> tuple[Json, ...]:
        """Return the objects of a kind; none where it is not watched."""
        return tuple(self._there.get(kind, {}).values())

    def objects(self, kind: Kind, *, namespace: str = "") -> tuple[Json, ...]:
        """Return the objects of a kind that is watched."""
        return tuple(one for ref, one in self._there[kind].items() if namespace in {"", ref.namespace})

    def get(self, ref: ObjectRef) -> Json | None:
        """Return an object: as the watch told, or, of a kind that is not watched, as it is."""
        kind = ref.of_kind
        return self._there[kind].get(ref) if kind in self._there else self._server.get(ref)

    def version(self, kind: Kind) -> int:
        """Return a number that grows whenever an object of *kind* changes."""
        return self._versions[kind]

    def create(self, obj: Json, *, manager: str = OPERATOR) -> None:
        """Create an object; one that is there already is no error."""
        self._said(self._server.create(obj, manager))

    def apply(self, obj: Json, *, manager: str = OPERATOR, force: bool = False) -> None:
        """Apply it server-side."""
        self._said(self._server.apply(obj, manager, force=force))

    def load(self, objects: Iterable[Json]) -> None:
        """Create objects."""
        for one in objects:
            self.create(one)

    def put(self, obj: Json) -> None:
        """Put an object in the place of the one that is there; nodes with their status, as their kubelets do."""
        ref = ObjectRef.of(obj)
        if ref.of_kind != NODE:
            self._said(self._server.replace(obj, OPERATOR))
            return
        if self.get(ref) is None:
            meta = {k: v for k, v in obj["metadata"].items() if k != "uid"}
            meta["labels"] = {**meta.get("labels", {}), **(NEVER if ref.name in self.dead else {})}
            made = self._server.create({**obj, "metadata": meta}, "kubelet")
            self._said(made)
            obj = {**made.body, "status": obj["status"]} if made.ok else obj
        self._said(self._server.replace(obj, "kubelet", "status"))

    def delete(self, ref: ObjectRef, *, uid: str = "") -> None:
        """Delete an object; one that is gone is no error. With a node its pods go, as with a machine that is shut down."""
        self._server.delete(ref, uid)
        for pod in self.known(POD) if ref.of_kind == NODE else ():
            if pod["spec"].get("nodeName") == ref.name:
                meta = pod["metadata"]
                at = place(POD, meta["namespace"], meta["name"])
                self._server.ask("DELETE", at, {"gracePeriodSeconds": 0, "preconditions": {"uid": meta["uid"]}})

    def _said(self, answer: Answer) -> None:
        if not answer.ok and answer.status not in {CONFLICT, 404}:
            self.refused.append(answer)


class LivePods:
    """The pods of a real cluster in the table of the simulation; ``table`` is kept up by what *ground* takes in."""

    def __init__(self, ground: LiveGround) -> None:
        self.table = PodTable(time.monotonic, ground.now, Addresses(()), lambda _: "")
        self.table.dead = ground.dead
        ground.after_change.append(self._noticed)

    def _noticed(self, change: Change) -> None:
        if change.ref.kind != POD.name or change.ref.api_version != POD.api_version:
            return
        known = self.table.of(change.ref)
        if change.after is None or (known is not None and known.uid != change.after["metadata"]["uid"]):
            if known is not None:
                self.table.drop(known)
            known = None
        if change.after is not None:
            take_pod(self.table, known, change.after)


def take_pod(table: PodTable, known: SimPod | None, live: Json) -> SimPod:
    """Let a pod in *table* be as the API server shows it; *known* is the one that is there."""
    meta, spec, status = live["metadata"], live["spec"], live.get("status", {})
    phase = phase_of(live)
    if known is None:
        owner = next((o for o in meta.get("ownerReferences", ()) if o.get("controller")), None)
        by = None if owner is None else Owner(meta["namespace"], owner["kind"], owner["name"])
        known = SimPod(meta["namespace"], meta["name"], meta["uid"], by, pod_of(live))
        table.adopt(known)
        for listener in table.listeners:
            listener(known, None)
    node = spec.get("nodeName", "")
    if node and not known.node:
        known.node, known.born = node, table.now()
        table.on.setdefault(node, {})[known.namespace, known.name] = known
    known.address, known.host = status.get("podIP", ""), status.get("hostIP", "")
    if known.phase is not phase:
        table.turn_into(known, phase)
    return known


def phase_of(live: Json) -> Phase:
    """Return how far a pod is."""
    status = live.get("status", {})
    if live["metadata"].get("deletionTimestamp"):
        return Phase.ENDING
    if status.get("phase") in {"Succeeded", "Failed"}:
        return Phase[status["phase"].upper()]
    if not live["spec"].get("nodeName"):
        return Phase.PENDING
    if status.get("phase") != "Running":
        return Phase.STARTING
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions", ()))
    return Phase.READY if ready else Phase.UNREADY


class LiveWorkloads:
    """What `simulation.workloads.Workloads` tells operators."""

    def __init__(self, ground: LiveGround, table: PodTable) -> None:
        self._ground, self._table = ground, table

    def ready(self, ref: ObjectRef) -> int:
        """Return how many ready pods a workload has."""
        live = self._ground.get(ref)
        return 0 if live is None else int(live.get("status", {}).get("readyReplicas", 0))

    def pods_left(self, ref: ObjectRef) -> int:
        """Return how many pods a Deployment has, or had when it went."""
        mine = f"{ref.name}-"
        return sum(
            len(pods)
            for owner, pods in self._table.by_owner.items()
            if owner.kind == "ReplicaSet" and owner.namespace == ref.namespace and owner.name.rpartition("-")[0] + "-" == mine
        )


def nodes_of(ground: LiveGround) -> Nodes:
    """Return the nodes, kept up by what *ground* takes in."""
    return Nodes(ground)  # type: ignore[arg-type]
