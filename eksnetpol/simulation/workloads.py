"""Controllers of a simulated cluster that bring pods back: of ReplicaSets, StatefulSets, and whoever else owns pods.

A pod that ends is replaced at once, but for a StatefulSet's, whose name has to be free. What Jobs of a snapshot still had to do
comes again elsewhere as well. A Deployment whose template changes has its pods replaced all at once: how it would roll is not
played. ReplicaSets are no objects here; their pods name them.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from msgspec.structs import replace

from eksnetpol.model import kubernetes as k8s
from eksnetpol.model.kinds import DEPLOYMENT, STATEFUL_SET, Json, Kind, ObjectRef
from eksnetpol.simulation.api_server import Change
from eksnetpol.simulation.daemonsets import like_of
from eksnetpol.simulation.ground import Ground
from eksnetpol.simulation.nodes import Nodes
from eksnetpol.simulation.pods import LIVE, Owner, Phase, PodTable, SimPod, uid_of
from eksnetpol.simulation.scheduling import Taints, Wishes

_NOT_OURS = frozenset({"DaemonSet", "Node", ""})
_SCALED = (DEPLOYMENT, STATEFUL_SET)


class Workloads:
    """Controllers of pods, by owner. A workload is a Deployment or StatefulSet, as its reference."""

    def __init__(self, ground: Ground, nodes: Nodes, table: PodTable, pods: Iterable[SimPod]) -> None:
        self._ground = ground
        self._nodes = nodes
        self._table = table
        self._wanted: dict[Owner, int] = {}
        self._live: Counter[Owner] = Counter()
        self._like: dict[Owner, k8s.Pod] = {}
        self._wishes: dict[Owner | None, Wishes] = {}
        self._dirty: dict[Owner, None] = {}
        self._changed: dict[ObjectRef, tuple[Json | None, Json | None]] = {}
        self._stale: dict[ObjectRef, None] = {}
        self._owners: dict[ObjectRef, dict[Owner, None]] = {}
        self._workloads = {ObjectRef.of(live): live for kind in _SCALED for live in ground.known(kind)}
        for pod in pods:
            if pod.owner is not None and pod.owner.kind not in _NOT_OURS:
                self._wanted[pod.owner] = self._wanted.get(pod.owner, 0) + (pod.phase in LIVE)
                self._live[pod.owner] += pod.phase in LIVE
                self._like.setdefault(pod.owner, pod.like)
        for owner in self._wanted:
            self._belongs(owner)
        ground.api.after_change.append(self._noticed)
        table.listeners.append(self._pod_changed)

    # --- what others ask ---

    def scale(self, owner: Owner) -> int:
        """Return how many pods a controller wants."""
        return self._wanted.get(owner, 0)

    def ready(self, workload: ObjectRef) -> int:
        """Return how many ready pods a Deployment or StatefulSet has."""
        return sum(pod.phase is Phase.READY for pod in self._pods_of(workload))

    def pods_left(self, workload: ObjectRef) -> int:
        """Return how many pods a workload still has, those that end too."""
        return sum(1 for _ in self._pods_of(workload))

    def wishes_of(self, pod: SimPod) -> Wishes:
        """Return what a pod asks of a node."""
        if pod.owner not in self._wishes:
            spec = self._template(pod.owner).get("spec", {})
            tolerated = self._tolerated(pod)
            self._wishes[pod.owner] = Wishes(spec.get("nodeSelector") or {}, spec.get("affinity") or {}, tolerated)
        return self._wishes[pod.owner]

    def _tolerated(self, pod: SimPod) -> Taints:
        others = self._table.by_owner.get(pod.owner, {}).values() if pod.owner is not None else ()
        there = (self._nodes.get(other.node) for other in others if other.node)
        return frozenset(taint for node in there if node is not None for taint in node.taints)

    def _template(self, owner: Owner | None) -> Json:
        workload = None if owner is None else self._workload_of(owner)
        live = None if workload is None else self._workloads.get(workload)
        found: Json = {} if live is None else live.get("spec", {}).get("template") or {}
        return found

    def _pods_of(self, workload: ObjectRef) -> Iterator[SimPod]:
        for owner in self._owners.get(workload, ()):
            yield from self._table.by_owner.get(owner, {}).values()

    # --- whose pods are whose ---

    def _workload_of(self, owner: Owner) -> ObjectRef | None:
        if owner.kind == "ReplicaSet":
            ref = ObjectRef.to(DEPLOYMENT, owner.name.rpartition("-")[0], owner.namespace)
        elif owner.kind == STATEFUL_SET.name:
            ref = ObjectRef.to(STATEFUL_SET, owner.name, owner.namespace)
        else:
            return None
        return ref if ref in self._workloads else None

    def _belongs(self, owner: Owner) -> None:
        workload = self._workload_of(owner)
        if workload is not None:
            self._owners.setdefault(workload, {})[owner] = None

    # --- what changed ---

    def _noticed(self, change: Change) -> None:
        ref = change.ref
        if ref.kind not in {kind.name for kind in _SCALED}:
            return
        if change.after is None:
            self._workloads.pop(ref, None)
        else:
            self._workloads[ref] = change.after
        if (change.before or {}).get("spec") != (change.after or {}).get("spec"):
            former = self._changed[ref][0] if ref in self._changed else change.before
            self._changed[ref] = (former, change.after)

    def _pod_changed(self, pod: SimPod, before: Phase | None) -> None:
        owner = pod.owner
        if owner is None or owner not in self._wanted:
            return
        is_there = self._table.is_there(pod)
        change = (is_there and pod.phase in LIVE) - (before in LIVE)
        self._live[owner] += change
        if change or not is_there:
            self._dirty[owner] = None
        workload = self._workload_of(owner)
        if workload is not None:
            self._stale[workload] = None

    # --- what is done about it ---

    def turn(self) -> None:
        """Make the pods that are missing, end those that are too many."""
        changed, self._changed = self._changed, {}
        for ref, (before, after) in changed.items():
            self._rescale(ref, before, after)
        dirty, self._dirty = self._dirty, {}
        for owner in dirty:
            self._settle(owner)

    def end_all(self, namespace: str) -> None:
        """Let nobody want pods in a namespace any more: it is going."""
        for owner in self._wanted:
            if owner.namespace == namespace:
                self._wanted[owner] = 0
                self._dirty[owner] = None

    def _rescale(self, ref: ObjectRef, before: Json | None, after: Json | None) -> None:
        if after is None:
            for former in self._owners.get(ref, {}):
                self._wanted[former] = 0
                self._dirty[former] = None
            return
        template = after["spec"].get("template") or {}
        owner: Owner | None = next(reversed(self._owners.get(ref, {})), None)
        was = (before or {}).get("spec", {}).get("template")
        if owner is None or (was is not None and was != template):
            for former in self._owners.get(ref, {}):
                self._wanted[former] = 0
                self._dirty[former] = None
            owner = self._revised(ref, template)
            like = like_of(template, after)
            self._like[owner] = _owned(like, owner)
            self._wishes.pop(owner, None)
            self._owners.setdefault(ref, {})[owner] = None
        replicas = after["spec"].get("replicas")
        self._wanted[owner] = 1 if replicas is None else int(replicas)
        self._dirty[owner] = None
        self._stale[ref] = None

    @staticmethod
    def _revised(ref: ObjectRef, template: Json) -> Owner:
        if ref.kind == STATEFUL_SET.name:
            return Owner(ref.namespace, ref.kind, ref.name)
        text = hashlib.sha256(json.dumps(template, sort_keys=True, default=str).encode()).hexdigest()[:10]
        return Owner(ref.namespace, "ReplicaSet", f"{ref.name}-{text}")

    def _settle(self, owner: Owner) -> None:
        lacking = self._wanted.get(owner, 0) - self._live[owner]
        like = self._like.get(owner)
        if lacking > 0 and like is not None:
            names = self._free_names(owner) if owner.kind == STATEFUL_SET.name else iter([""] * lacking)
            for _, name in zip(range(lacking), names, strict=False):
                self._table.add(like, owner, name=name, namespace=owner.namespace)
        if lacking < 0:
            live = [pod for pod in self._table.by_owner.get(owner, {}).values() if pod.phase in LIVE]
            for pod in live[:-lacking]:
                self._table.end(pod)

    def _free_names(self, owner: Owner) -> Iterator[str]:
        for number in range(self._wanted.get(owner, 0)):
            if (owner.namespace, f"{owner.name}-{number}") not in self._table.all:
                yield f"{owner.name}-{number}"

    # --- what a look sees ---

    def refresh(self, kind: Kind) -> None:
        """Write into the status of each workload of *kind* what is counted now."""
        for ref in [ref for ref in self._stale if ref.kind == kind.name]:
            del self._stale[ref]
            live = self._ground.get(ref)
            if live is not None:
                status = {**live.get("status", {}), **self._counts(ref, live["metadata"])}
                if status != live.get("status"):
                    self._ground.put({**live, "status": status})

    def _counts(self, ref: ObjectRef, meta: Mapping[str, object]) -> Json:
        live = [pod for pod in self._pods_of(ref) if pod.phase in LIVE]
        ready = sum(pod.phase is Phase.READY for pod in live)
        counts: Json = {"observedGeneration": meta.get("generation", 0), "replicas": len(live), "readyReplicas": ready}
        return {**counts, "availableReplicas": ready, "updatedReplicas": len(live)}


def _owned(like: k8s.Pod, owner: Owner) -> k8s.Pod:
    """Return a pod with *owner* as its controller."""
    uid = uid_of(f"{owner}")
    reference = k8s.OwnerReference(kind=owner.kind, name=owner.name, uid=uid, api_version="apps/v1", controller=True)
    return replace(like, metadata=replace(like.metadata, owner_references=(reference,)))
