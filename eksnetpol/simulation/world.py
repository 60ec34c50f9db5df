"""A whole small cluster in memory, made of a snapshot: the same calls as a real one, in a time of its own.

`SimulatedCluster` is `interfaces.acting.Hands` and `Clock` in one. Time passes in `sleep` and in `watch` alone, from one thing
that happens to the next, so an hour takes as long as what happens in it. Who acts in it: EKS (`eks_settling`), the DaemonSet's
controller and the agents (`agents`), the policy controller and the watcher of definitions (`controller`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Self

import msgspec
from msgspec.structs import replace

from eksnetpol.errors import Rejected
from eksnetpol.model import eks
from eksnetpol.model.actions import CreateAddon, UpdateAddon
from eksnetpol.model.kinds import LEASE, POD, Json, Kind, ObjectRef
from eksnetpol.model.snapshot import ClusterSnapshot, Seen, SourceKind
from eksnetpol.model.versions import KubernetesVersion
from eksnetpol.planning.rollout import SECONDS_A_TURN
from eksnetpol.simulation.agents import Agents
from eksnetpol.simulation.controller import Controller
from eksnetpol.simulation.eks import Fate, Timing
from eksnetpol.simulation.eks_of_snapshot import Control
from eksnetpol.simulation.ground import Ground
from eksnetpol.simulation.sections import SECTIONS
from eksnetpol.simulation.selectors import selecting

REACTS_IN = 1.0
"""Seconds after which controllers act on what was written."""
VERBS = ("create", "patch", "update", "delete")
"""What admission is asked about."""
FIRST_WITH_CONTROLLER = KubernetesVersion(1, 25)
"""Control planes from this version on bring the network policy controller."""


class SimulatedCluster:
    """One cluster. Not for several threads.

    What may be made to go wrong: `doom_updates`, `doom_nodes`, `refuse`. ``seconds`` is how long a pod takes to be replaced,
    ``timing`` how long EKS takes.
    """

    def __init__(self, snapshot: ClusterSnapshot, *, seconds: float = SECONDS_A_TURN, timing: Timing | None = None) -> None:
        self._snapshot = snapshot
        self._start = snapshot.taken_at if snapshot.taken_at.tzinfo else snapshot.taken_at.replace(tzinfo=UTC)
        self._time = 0.0
        self._reacts: float | None = None
        self._refusals: list[Callable[[str, ObjectRef], str]] = []
        self.ground = Ground(snapshot, self.now)
        self.ground.api.after_change.append(lambda _: self._stirred())
        pods = snapshot.agent_pods.value if isinstance(snapshot.agent_pods, Seen) else ()
        self.agents = Agents(self.ground, pods, seconds=seconds)
        self.controller = Controller(self.ground, is_there=_has_controller(snapshot))
        self.eks = Control(snapshot, self.ground, self.now, timing or Timing())
        self.eks.place.refuses = self._admit
        self._reacts = None

    @classmethod
    def of(cls, snapshot: ClusterSnapshot) -> Self:
        """Return the cluster that *snapshot* tells of, at the time it was taken. Nothing has happened yet."""
        return cls(snapshot)

    # --- time ----------------------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """Return the time there, in UTC."""
        return self._start + timedelta(seconds=self._time)

    def monotonic(self) -> float:
        """Return the seconds since it began."""
        return self._time

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        end = self._time + max(0.0, seconds)
        while self._step(end):
            pass

    def _step(self, end: float) -> bool:
        """Go to what happens next, at most to *end*; return whether anything is left to happen by then."""
        due = self._next_due()
        self._time = max(self._time, min(end, due) if due is not None else end)
        if due is None or due > end:
            return False
        self._turn()
        return True

    def _next_due(self) -> float | None:
        told = self.eks.next_due()
        due = [
            self._reacts,
            self.agents.next_due(self._time),
            self.controller.next_due(self._time),
            None if told is None else (told - self._start).total_seconds(),
        ]
        return min((d for d in due if d is not None), default=None)

    def _turn(self) -> None:
        # What is written in this turn is acted on in a later one.
        self._reacts = None
        self.eks.turn()
        self.agents.turn(self._time)
        self.controller.turn(self._time)
        self.eks.turn()

    def _stirred(self) -> None:
        if self._reacts is None:
            self._reacts = self._time + REACTS_IN

    # --- what goes wrong -------------------------------------------------------------------------------------------------

    def doom_updates(self, *fates: Fate) -> None:
        """Let the next changes of the add-on end like this, one fate each."""
        self.eks.doom(*fates)

    def doom_nodes(self, nodes: Iterable[str]) -> None:
        """Let new ``aws-node`` pods on these nodes never become available."""
        self.agents.doom(nodes)

    def refuse(self, why: str, *, kind: Kind, name: str = "", verbs: Iterable[str] = VERBS) -> None:
        """Let admission refuse these verbs for objects of *kind*, for all or for one *name*, saying *why*."""
        refused = frozenset(verbs)

        def judge(verb: str, ref: ObjectRef) -> str:
            fits = (ref.api_version, ref.kind) == (kind.api_version, kind.name) and name in {"", ref.name}
            return why if fits and verb in refused else ""

        self._refusals.append(judge)

    def _admit(self, verb: str, ref: ObjectRef) -> None:
        for judge in self._refusals:
            if why := judge(verb, ref):
                raise Rejected(f"The API server would not {verb} {ref}: {why}")

    # --- Kubernetes ------------------------------------------------------------------------------------------------------

    def get(self, ref: ObjectRef) -> Json | None:
        """Return an object, None where there is none or its kind is not served."""
        if ref.of_kind == POD:
            return next((p for p in self._pods() if ObjectRef.of(p) == ref), None)
        return self.ground.of(ref.of_kind).get(ref)

    def objects(self, kind: Kind, *, namespace: str = "", selector: str = "") -> tuple[Json, ...]:
        """Return the objects of a kind; none where the kind is not served. Of pods there are those of ``aws-node``."""
        if kind == POD:
            fits = selecting(selector) if selector else None
            pods = (p for p in self._pods() if namespace in {"", p["metadata"].get("namespace", "")})
            return tuple(p for p in pods if fits is None or fits(p["metadata"].get("labels") or {}))
        return self.ground.of(kind).objects(kind, namespace=namespace, selector=selector)

    def pods_on(self, node: str) -> tuple[Json, ...]:
        """Return the pods that are bound to a node, whatever their state."""
        return tuple(pod for pod in self.objects(POD) if (pod.get("spec") or {}).get("nodeName") == node)

    def create(self, obj: Json, *, dry_run: bool = False) -> Json:
        """Create an object; raise `errors.Exists` where there is one of that name."""
        ref = ObjectRef.of(obj)
        self._admit("create", ref)
        return self.ground.of(ref.of_kind).create(obj, dry_run=dry_run)

    def apply(self, obj: Json, *, force: bool = False, dry_run: bool = False) -> Json:
        """Apply server-side; raise `errors.Conflict` with its fields where others own them and not *force*."""
        ref = ObjectRef.of(obj)
        self._admit("patch", ref)
        return self.ground.of(ref.of_kind).apply(obj, force=force, dry_run=dry_run)

    def patch(self, ref: ObjectRef, operations: list[Json], *, dry_run: bool = False) -> Json:
        """Do a JSON patch; raise `errors.Conflict` where one of its tests fails, `errors.NotFound` without object."""
        self._admit("patch", ref)
        return self.ground.of(ref.of_kind).patch(ref, operations, dry_run=dry_run)

    def replace(self, obj: Json) -> Json:
        """Put *obj* in the place of the one with the same resourceVersion; raise `errors.Conflict` where that has changed."""
        ref = ObjectRef.of(obj)
        self._admit("update", ref)
        return self.ground.of(ref.of_kind).replace(obj)

    def delete(self, ref: ObjectRef, *, uid: str = "", dry_run: bool = False) -> None:
        """Delete an object, only the one with *uid* where it is given; a pod of ``aws-node`` comes again at once."""
        self._admit("delete", ref)
        if ref.of_kind != POD:
            self.ground.delete(ref, uid=uid, dry_run=dry_run)
            return
        found = self.get(ref)
        if found is not None and uid in {"", found["metadata"].get("uid")} and not dry_run:
            self.agents.restart(found["spec"].get("nodeName", ""), self._time)
            self._stirred()

    def watch(self, ref: ObjectRef, *, since: str = "", seconds: float = 5.0) -> Iterator[Json | None]:
        """Yield the object whenever it changes, for at most *seconds* of its time; None when it goes.

        Without *since*, a resourceVersion, what is there now comes first.
        """
        end = self._time + seconds
        api = self.ground.of(ref.of_kind)
        after = int(since) if since.isdecimal() else -1
        more = True
        while True:
            yield from api.watch(ref, since=str(after) if after >= 0 else "")
            after = int(api.version)
            if not more or self._time >= end:
                return
            more = self._step(end)

    def _pods(self) -> Iterator[Json]:
        for pod in self.agents.seen():
            yield {**msgspec.to_builtins(pod), "apiVersion": "v1", "kind": "Pod"}

    # --- EKS -------------------------------------------------------------------------------------------------------------

    def describe_addon(self, name: str) -> eks.Addon | None:
        """Return the add-on, None where EKS manages none."""
        return self.eks.describe_addon(name)

    def addon_updates(self, name: str) -> tuple[eks.Update, ...]:
        """Return the updates of an add-on, the newest first."""
        return self.eks.addon_updates(name)

    def describe_update(self, name: str, update: str) -> eks.Update:
        """Return one update of an add-on; raise `errors.NotFound` where there is none."""
        return self.eks.describe_update(name, update)

    def update_addon(self, wanted: UpdateAddon, *, token: str) -> eks.Update:
        """Start an update; the same *token* again starts nothing and returns the same update."""
        return self.eks.update_addon(wanted, token=token)

    def create_addon(self, wanted: CreateAddon, *, token: str) -> eks.Addon:
        """Start creating the add-on; raise `errors.Exists` where there is one."""
        return self.eks.create_addon(wanted, token=token)

    def delete_addon(self, name: str, *, preserve: bool) -> None:
        """Start deleting the add-on; one that is not there is no error."""
        self.eks.delete_addon(name, preserve=preserve)

    # --- what a look would see -----------------------------------------------------------------------------------------

    def snapshot(self) -> ClusterSnapshot:
        """Return what a look would see now: what was changed, and all else as it was.

        The section ``pods`` keeps the ``aws-node`` pods it had: who reasons about agents reads ``agent_pods``.
        """
        kinds = tuple(kind for kind in SECTIONS if kind not in {POD, LEASE})
        found: dict[str, object] = {**self.ground.sections(kinds), **self.eks.sections()}
        former = self._snapshot.agent_pods
        if self.agents.changed and isinstance(former, Seen):
            found["agent_pods"] = Seen(self.agents.seen(), former.complete)
        return replace(self._snapshot, taken_at=self.now(), source=SourceKind.SIMULATION, **found)


def _has_controller(snapshot: ClusterSnapshot) -> bool:
    """Say whether the control plane brings the policy controller; where its version was not read it is taken to."""
    version = snapshot.cluster.value.version if isinstance(snapshot.cluster, Seen) else ""
    try:
        return not version or KubernetesVersion.parse(version) >= FIRST_WITH_CONTROLLER
    except ValueError:
        return True


