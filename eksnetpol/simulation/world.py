"""A whole small cluster in memory, made of a snapshot: the same calls as a real one, in a time of its own.

`SimulatedCluster` is `interfaces.acting.Hands` and `Clock` in one. Time passes in `sleep` and in `watch` alone, from one thing
that happens to the next, so an hour takes as long as what happens in it. Who acts in it: EKS (`eks_settling`), the DaemonSet's
controller and the agents (`agents`), the policy controller and the watcher of definitions (`controller`), and, from when they are
first needed, nodes, pods and whoever acts on these (`life`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Self

from msgspec.structs import replace

from eksnetpol.errors import Exists
from eksnetpol.model.enforcement import Scene
from eksnetpol.model.engine_kinds import ENGINE_KINDS, OPERATOR_KINDS
from eksnetpol.model.kinds import (
    API_SERVICE,
    CLUSTER_POLICY_ENDPOINT,
    DAEMONSET,
    DEFINITION,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    ENDPOINT_SLICE,
    JOB,
    LEASE,
    MUTATING_WEBHOOKS,
    NAMESPACE,
    NODE,
    POD,
    POLICY_ENDPOINT,
    SERVICE,
    STATEFUL_SET,
    VALIDATING_WEBHOOKS,
    Json,
    Kind,
    ObjectRef,
)
from eksnetpol.model.objects.pods import labels_of
from eksnetpol.model.snapshot import ClusterSnapshot, Seen, SourceKind
from eksnetpol.model.versions import KubernetesVersion
from eksnetpol.planning.rollout import SECONDS_A_TURN
from eksnetpol.simulation.agents import REF, Agents
from eksnetpol.simulation.controller import Controller
from eksnetpol.simulation.eks import Fate, Timing
from eksnetpol.simulation.eks_of_snapshot import Control
from eksnetpol.simulation.eks_verbs import EksVerbs
from eksnetpol.simulation.ground import Ground
from eksnetpol.simulation.hardships import Hardships
from eksnetpol.simulation.life import Life, agent_json
from eksnetpol.simulation.pods import json_of
from eksnetpol.simulation.sections import SECTIONS
from eksnetpol.simulation.selectors import selecting

REACTS_IN = 1.0
"""Seconds after which controllers act on what was written."""
FIRST_WITH_CONTROLLER = KubernetesVersion(1, 25)
"""Control planes from this version on bring the network policy controller."""

_OWN_LABEL = "k8s-app=aws-node"
_IN_LIFE = frozenset(kind.name for kind in (NODE, POD, DAEMONSET, DEPLOYMENT, STATEFUL_SET, JOB, DISRUPTION_BUDGET))
"""Kinds whose objects do nothing without the nodes and pods they are about."""
_HEARD = frozenset(
    (kind.api_version, kind.name) for kind in (SERVICE, API_SERVICE, VALIDATING_WEBHOOKS, MUTATING_WEBHOOKS, *ENGINE_KINDS)
)
"""Kinds whose changes somebody reacts to who lives there."""


class SimulatedCluster(Hardships, EksVerbs):
    """One cluster. Not for several threads.

    What may be made to go wrong: `doom_updates`, `doom_nodes`, `refuse`, `lose_api`, `at`. ``seconds`` is how long a pod
    of ``aws-node`` takes to be replaced, ``timing`` how long EKS takes.
    """

    def __init__(self, snapshot: ClusterSnapshot, *, seconds: float = SECONDS_A_TURN, timing: Timing | None = None) -> None:
        super().__init__()
        self._snapshot = snapshot
        self._start = snapshot.taken_at if snapshot.taken_at.tzinfo else snapshot.taken_at.replace(tzinfo=UTC)
        self._time = 0.0
        self._reacts: float | None = None
        self._life: Life | None = None
        self._doomed: frozenset[str] = frozenset()
        self.observers: list[Callable[[], None]] = []
        """Called after every turn of time and after every write, with nothing: they look for themselves, at `scene` for one."""
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
            self._life.next_due() if self._life is not None else None,
            self._next_planned(),
        ]
        return min((d for d in due if d is not None), default=None)

    def _turn(self) -> None:
        # What is written in this turn is acted on in a later one.
        self._reacts = None
        self._let_happen()
        self.eks.turn()
        if self._life is not None:
            self._life.turn()
        self.agents.turn(self._time)
        self.controller.turn(self._time)
        self.eks.turn()
        self._seen()

    def _stirred(self) -> None:
        if self._reacts is None:
            self._reacts = self._time + REACTS_IN

    # --- its whole life --------------------------------------------------------------------------------------------------

    @property
    def life(self) -> Life:
        """Nodes, pods and whoever acts on them. It begins when it is first asked for; see `life.Life` for what it takes."""
        if self._life is None:
            self._life = Life(
                self._snapshot, self.ground, self.agents, self.controller,
                now=self.monotonic, clock=self.now, stirred=self._stirred,
            )  # fmt: skip
            self._life.doom(self._doomed)
        return self._life

    @property
    def _could_live(self) -> bool:
        return all(isinstance(s, Seen) for s in (self._snapshot.nodes, self._snapshot.pods, self._snapshot.daemonsets))

    def scene(self) -> Scene:
        """Return who enforces what on which node now."""
        return self.life.scene()

    def _seen(self) -> None:
        for observer in self.observers:
            observer()

    # --- what goes wrong, beside `hardships` -----------------------------------------------------------------------------

    def doom_updates(self, *fates: Fate) -> None:
        """Let the next changes of the add-on end like this, one fate each."""
        self.eks.doom(*fates)

    def doom_nodes(self, nodes: Iterable[str]) -> None:
        """Let new pods on these nodes never become available."""
        names = frozenset(nodes)
        self._doomed |= names
        self.agents.doom(names)
        if self._life is not None:
            self._life.doom(names)

    # --- Kubernetes ------------------------------------------------------------------------------------------------------

    def get(self, ref: ObjectRef) -> Json | None:
        """Return an object, None where there is none or its kind is not served."""
        self._answers()
        kind = ref.of_kind
        if kind == POD:
            return self._pod(ref)
        if kind == ENDPOINT_SLICE:
            return next((one for one in self.life.slices(ref.namespace, "") if one["metadata"]["name"] == ref.name), None)
        self._refresh(kind)
        return self.ground.of(kind).get(ref)

    def objects(self, kind: Kind, *, namespace: str = "", selector: str = "") -> tuple[Json, ...]:
        """Return the objects of a kind; none where the kind is not served."""
        self._answers()
        if kind == POD:
            return self._pods(namespace, selector)
        if kind == ENDPOINT_SLICE:
            return self.life.slices(namespace, selector)
        self._refresh(kind)
        return self.ground.of(kind).objects(kind, namespace=namespace, selector=selector)

    def pods_on(self, node: str) -> tuple[Json, ...]:
        """Return the pods that are bound to a node, whatever their state."""
        self._answers()
        return self.life.pods_on(node)

    def create(self, obj: Json, *, dry_run: bool = False) -> Json:
        """Create an object; raise `errors.Exists` where there is one of that name."""
        ref = self._writing("create", obj)
        if ref.of_kind == POD:
            if self._pod(ref) is not None:
                raise Exists(f'could not create pods: pods "{ref.name}" already exists')
            return obj if dry_run else self._done(self.life.create(obj))
        return self._done(self.ground.of(ref.of_kind).create(obj, dry_run=dry_run))

    def apply(self, obj: Json, *, force: bool = False, dry_run: bool = False) -> Json:
        """Apply server-side; raise `errors.Conflict` with its fields where others own them and not *force*."""
        ref = self._writing("patch", obj)
        return self._done(self.ground.of(ref.of_kind).apply(obj, force=force, dry_run=dry_run))

    def patch(self, ref: ObjectRef, operations: list[Json], *, dry_run: bool = False) -> Json:
        """Do a JSON patch; raise `errors.Conflict` where one of its tests fails, `errors.NotFound` without object."""
        self._about("patch", ref)
        return self._done(self.ground.of(ref.of_kind).patch(ref, operations, dry_run=dry_run))

    def replace(self, obj: Json) -> Json:
        """Put *obj* in the place of the one with the same resourceVersion; raise `errors.Conflict` where that has changed."""
        ref = self._writing("update", obj)
        return self._done(self.ground.of(ref.of_kind).replace(obj))

    def delete(self, ref: ObjectRef, *, uid: str = "", dry_run: bool = False) -> None:
        """Delete an object, only the one with *uid* where it is given; a pod of ``aws-node`` comes again at once."""
        self._about("delete", ref)
        if ref.of_kind != POD:
            self.ground.delete(ref, uid=uid, dry_run=dry_run)
        elif self._life is not None and not dry_run:
            self._life.delete(ref, uid)
            self._stirred()
        elif not dry_run:
            found = self._pod(ref)
            if found is not None and uid in {"", found["metadata"].get("uid")}:
                self.agents.restart(found["spec"].get("nodeName", ""), self._time)
                self._stirred()
        self._seen()

    def evict(self, ref: ObjectRef, *, uid: str = "") -> None:
        """Evict a pod, only the one with *uid* where it is given. One that is gone, or another by then, is no error.

        Raises `errors.Busy` where a disruption budget allows nothing now, `errors.Rejected` where two budgets select the pod.
        """
        self._answers()
        self._admit("create", ref)
        self.life.evict(ref, uid)
        self._stirred()
        self._seen()

    def watch(self, ref: ObjectRef, *, since: str = "", seconds: float = 5.0) -> Iterator[Json | None]:
        """Yield the object whenever it changes, for at most *seconds* of its time; None when it goes.

        Without *since*, a resourceVersion, what is there now comes first.
        """
        self._answers()
        end = self._time + seconds
        self._refresh(ref.of_kind)
        api = self.ground.of(ref.of_kind)
        after = int(since) if since.isdecimal() else -1
        more = True
        while True:
            yield from api.watch(ref, since=str(after) if after >= 0 else "")
            after = int(api.version)
            if not more or self._time >= end:
                return
            more = self._step(end)
            self._refresh(ref.of_kind)

    def _writing(self, verb: str, obj: Json) -> ObjectRef:
        ref = ObjectRef.of(obj)
        self._about(verb, ref, obj["metadata"].get("labels"))
        return ref

    def _about(self, verb: str, ref: ObjectRef, labels: Json | None = None) -> None:
        self._answers()
        if self._life is None and _moves_others(verb, ref) and (ref.kind in _IN_LIFE or self._could_live):
            # Who is to react to this has to know how it was before.
            self.life  # noqa: B018
        self._admit(verb, ref, labels)

    def _done(self, found: Json) -> Json:
        self._seen()
        return found

    def _refresh(self, kind: Kind) -> None:
        if self._life is None and kind in OPERATOR_KINDS and self._could_live:
            # Not all of these are in a snapshot: what an operator made of them shows that they are there.
            self.life  # noqa: B018
        if self._life is not None:
            self._life.refresh(kind)
            if kind in {POLICY_ENDPOINT, CLUSTER_POLICY_ENDPOINT}:
                self.controller.refresh()

    def _pod(self, ref: ObjectRef) -> Json | None:
        agent = next((p for p in self._agent_pods(ref.namespace, None) if p["metadata"]["name"] == ref.name), None)
        if agent is not None or not self._could_live:
            return agent
        found = self.life.pods.of(ref)
        return None if found is None else json_of(found)

    def _pods(self, namespace: str, selector: str) -> tuple[Json, ...]:
        """Return pods. Where only those of ``aws-node`` can be meant, no others need be there."""
        fits = selecting(selector) if selector else None
        found = self._agent_pods(namespace, fits)
        only_agents = namespace == REF.namespace and _OWN_LABEL in selector.split(",")
        if self._life is None and (only_agents or not self._could_live):
            return tuple(found)
        found += self.life.json_pods(namespace, lambda raw: fits is None or fits(labels_of(raw)))
        return tuple(sorted(found, key=lambda pod: (pod["metadata"].get("namespace", ""), pod["metadata"]["name"])))

    def _agent_pods(self, namespace: str, fits: Callable[[Mapping[str, str]], bool] | None) -> list[Json]:
        if namespace not in {"", REF.namespace}:
            return []
        return [agent_json(pod) for pod in self.agents.seen() if fits is None or fits(pod.metadata.labels)]

    # --- what a look would see -----------------------------------------------------------------------------------------

    def snapshot(self) -> ClusterSnapshot:
        """Return what a look would see now: what was changed, and all else as it was.

        As long as nothing happens to pods but those of ``aws-node``, the section ``pods`` keeps those that it had: who reasons
        about agents reads ``agent_pods``.
        """
        kinds = tuple(kind for kind in SECTIONS if kind not in {POD, LEASE})
        for kind in kinds if self._life is not None else ():
            self._refresh(kind)
        found: dict[str, object] = {**self.ground.sections(kinds), **self.eks.sections()}
        if self._life is not None:
            found |= self._life.sections(found)
        former = self._snapshot.agent_pods
        if self.agents.changed and isinstance(former, Seen):
            found["agent_pods"] = Seen(self.agents.seen(), former.complete)
        return replace(self._snapshot, taken_at=self.now(), source=SourceKind.SIMULATION, **found)


def _moves_others(verb: str, ref: ObjectRef) -> bool:
    """Say whether a change of an object is one that somebody may react to beside EKS and the policy controller."""
    if ref.kind in {NAMESPACE.name, DEFINITION.name}:
        return verb == "delete"
    return ref != REF and (ref.kind in _IN_LIFE or (ref.api_version, ref.kind) in _HEARD)


def _has_controller(snapshot: ClusterSnapshot) -> bool:
    """Say whether the control plane brings the policy controller; where its version was not read it is taken to."""
    version = snapshot.cluster.value.version if isinstance(snapshot.cluster, Seen) else ""
    try:
        return not version or KubernetesVersion.parse(version) >= FIRST_WITH_CONTROLLER
    except ValueError:
        return True
