"""DaemonSets of a simulated cluster but ``aws-node`` (`agents`): a pod on every node they admit, and none where they do not.

As kube-controller-manager has it (``pkg/controller/daemon``): what matters of a node are its labels, its name and its taints, not
whether it is cordoned. A change of the template, be it of the affinity alone, rolls all pods, at most ``maxUnavailable`` nodes at
once; with ``OnDelete`` none. Which taints are tolerated a snapshot does not say: all, for DaemonSets on the host's network, as
those of network engines, else those that their pods live with today.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from eksnetpol.engines.placement import suits
from eksnetpol.model import kubernetes as k8s
from eksnetpol.model.kinds import CONTROLLER_REVISION, DAEMONSET, Json, ObjectRef
from eksnetpol.simulation.agent_templates import is_another, revision_hash
from eksnetpol.simulation.agents import HASH, REF, pace
from eksnetpol.simulation.api_server import Change
from eksnetpol.simulation.ground import Ground
from eksnetpol.simulation.nodes import NodeFacts, Nodes
from eksnetpol.simulation.pods import LIVE, Owner, Phase, PodTable, SimPod, pod_of
from eksnetpol.simulation.scheduling import Taints

_HELD = frozenset({Phase.SUCCEEDED, Phase.FAILED})


@dataclass(slots=True, eq=False)
class DaemonSet:
    """One DaemonSet. ``pods`` are those for it by node, ``old`` the nodes whose pod has a former template."""

    ref: ObjectRef
    template: Any
    like: k8s.Pod
    hash: str
    generation: int
    tolerates: Taints | None = None
    """None: all."""
    pods: dict[str, SimPod] = field(default_factory=dict)
    old: deque[str] = field(default_factory=deque)
    ready: int = 0
    wanted: dict[str, None] = field(default_factory=dict)
    """Nodes that are to have a pod."""

    @property
    def owner(self) -> Owner:
        """Whom its pods name as their controller."""
        return Owner(self.ref.namespace, self.ref.kind, self.ref.name)

    def admits(self, node: NodeFacts) -> bool:
        """Say whether a node is to have a pod."""
        spec = self.template.get("spec", {})
        if self.tolerates is not None and not node.taints <= self.tolerates:
            return False
        return suits(spec.get("nodeSelector") or {}, spec.get("affinity") or {}, node.struct.metadata.labels, node.name)


class DaemonSets:
    """Their controller."""

    def __init__(self, ground: Ground, nodes: Nodes, table: PodTable, pods: Iterable[SimPod]) -> None:
        self._ground = ground
        self._nodes = nodes
        self._table = table
        self.all: dict[ObjectRef, DaemonSet] = {}
        self._changed: dict[ObjectRef, None] = {}
        self._moved: dict[str, None] = {}
        self._stale: dict[ObjectRef, None] = {}
        known: dict[Owner, list[SimPod]] = {}
        for pod in pods:
            if pod.owner is not None:
                known.setdefault(pod.owner, []).append(pod)
        for live in ground.known(DAEMONSET):
            ref = ObjectRef.of(live)
            if ref != REF:
                self._adopt(ref, live, known.get(Owner(ref.namespace, ref.kind, ref.name), []))
        ground.api.after_change.append(self._noticed)
        nodes.listeners.append(self._node_changed)
        table.listeners.append(self._pod_changed)

    def _adopt(self, ref: ObjectRef, live: Json, pods: list[SimPod]) -> None:
        found = _daemonset(ref, live)
        if pods:
            hashes = Counter(map(_hash_of, pods))
            found.hash = max(hashes, key=lambda h: hashes[h]) or found.hash
            if not found.like.spec.host_network:
                seen = (self._nodes.get(pod.node) for pod in pods)
                found.tolerates = frozenset(taint for node in seen if node is not None for taint in node.taints)
        found.pods = {pod.node: pod for pod in pods}
        for pod in pods:
            pod.template = _hash_of(pod) or found.hash
        found.old = deque(node for node, pod in found.pods.items() if pod.template != found.hash)
        found.ready = sum(pod.phase is Phase.READY for pod in pods)
        # Where no pod was read, or none could start, nothing is made up: who is there is who is wanted.
        found.wanted = dict.fromkeys(found.pods)
        self.all[ref] = found
        if self._ground.knows(CONTROLLER_REVISION):
            # As it was: that it is written down here is no change.
            self._ground.of(CONTROLLER_REVISION).load([_revision(found, live, 1)])

    # --- what changed ---

    def _noticed(self, change: Change) -> None:
        if change.ref.kind == DAEMONSET.name and change.ref != REF:
            before, after = change.before or {}, change.after or {}
            if before.get("spec") != after.get("spec") or change.before is None or change.after is None:
                self._changed[change.ref] = None

    def _node_changed(self, name: str, _: NodeFacts | None) -> None:
        self._moved[name] = None

    def _pod_changed(self, pod: SimPod, before: Phase | None) -> None:
        if pod.owner is None or pod.owner.kind != DAEMONSET.name:
            return
        found = self.all.get(ObjectRef.to(DAEMONSET, pod.owner.name, pod.owner.namespace))
        if found is None or found.pods.get(pod.node) is not pod:
            return
        is_there = self._table.is_there(pod)
        found.ready += (is_there and pod.phase is Phase.READY) - (before is Phase.READY)
        self._stale[found.ref] = None
        if not is_there or pod.phase in _HELD:
            found.pods.pop(pod.node, None)
            self._moved[pod.node] = None

    # --- what is done about it ---

    def turn(self) -> None:
        """Make and take away pods, and roll."""
        changed, self._changed = self._changed, {}
        for ref in changed:
            self._take(ref)
        moved, self._moved = self._moved, {}
        for name in moved:
            for found in self.all.values():
                self._settle(found, name)
        for ref in tuple(self._stale):
            if ref in self.all:
                self._roll(self.all[ref])

    def _take(self, ref: ObjectRef) -> None:
        live = self._ground.get(ref)
        found = self.all.get(ref)
        if live is None or live["metadata"].get("deletionTimestamp"):
            if found is not None:
                del self.all[ref]
                for pod in tuple(found.pods.values()):
                    self._table.end(pod)
            return
        if found is None:
            found = self.all[ref] = _daemonset(ref, live)
            found.tolerates = None
            self._revise(found, live)
        elif is_another(found.template, live["spec"].get("template")):
            # Nodes that must not have a pod any more lose it at once; the others roll.
            made = _daemonset(ref, live)
            found.template, found.hash = made.template, made.hash
            found.like = made.like
            found.old = deque(node for node, pod in found.pods.items() if pod.phase in LIVE)
            self._revise(found, live)
        found.template = live["spec"].get("template") or {}
        found.generation = live["metadata"].get("generation", 0)
        self._stale[ref] = None
        for name in (*self._nodes.all, *(n for n in found.pods if n not in self._nodes.all)):
            self._settle(found, name)

    def _settle(self, found: DaemonSet, name: str) -> None:
        """Let a node have a pod, or none, as it should."""
        node, pod = self._nodes.get(name), found.pods.get(name)
        if node is None:
            found.wanted.pop(name, None)
            found.pods.pop(name, None)
        elif found.admits(node):
            found.wanted[name] = None
            if pod is None:
                self._make(found, name)
        else:
            found.wanted.pop(name, None)
            if pod is not None and pod.phase in LIVE:
                self._table.end(pod)
        self._stale[found.ref] = None

    def _make(self, found: DaemonSet, node: str) -> None:
        pod = self._table.add(found.like, found.owner, namespace=found.ref.namespace, template=found.hash)
        found.pods[node] = pod
        self._table.bind(pod, node)

    def _roll(self, found: DaemonSet) -> None:
        if not found.old:
            return
        live = self._ground.get(found.ref)
        if live is None:
            return
        at_once, on_delete = pace(live, len(found.wanted))
        if on_delete:
            return
        room = at_once - (len(found.wanted) - found.ready)
        while found.old:
            pod = found.pods.get(found.old[0])
            if pod is not None and pod.template != found.hash and pod.phase is Phase.READY and room <= 0:
                return
            found.old.popleft()
            if pod is None or pod.template == found.hash or pod.phase not in LIVE:
                continue
            room -= pod.phase is Phase.READY
            self._table.end(pod)

    def _revise(self, found: DaemonSet, live: Json) -> None:
        if not self._ground.knows(CONTROLLER_REVISION):
            return
        uid = live["metadata"].get("uid")
        ours = [
            r
            for r in self._ground.objects(CONTROLLER_REVISION)
            if any(o.get("uid") == uid for o in r["metadata"].get("ownerReferences", ()))
        ]
        number = max((r.get("revision", 0) for r in ours), default=0) + 1
        self._ground.put(_revision(found, live, number))

    # --- what a look sees ---

    def refresh(self) -> None:
        """Write into the status of each DaemonSet what is counted now."""
        stale, self._stale = self._stale, {}
        for ref in stale:
            found, live = self.all.get(ref), self._ground.get(ref)
            if found is None or live is None:
                continue
            wanted = len(found.wanted)
            updated = sum(pod.template == found.hash for pod in found.pods.values())
            counts = {
                "observedGeneration": found.generation,
                "desiredNumberScheduled": wanted,
                "currentNumberScheduled": sum(node in found.wanted for node in found.pods),
                "updatedNumberScheduled": min(updated, wanted),
                "numberReady": found.ready,
                "numberAvailable": found.ready,
                "numberMisscheduled": 0,
            }
            status = {**live.get("status", {}), **counts}
            if status != live.get("status"):
                self._ground.put({**live, "status": status})


def _daemonset(ref: ObjectRef, live: Json) -> DaemonSet:
    template = live["spec"].get("template") or {}
    return DaemonSet(ref, template, like_of(template, live), revision_hash(template), live["metadata"].get("generation", 0))


def like_of(template: Json, live: Json) -> k8s.Pod:
    """Return a pod like those that the workload *live* makes of *template*."""
    meta, spec = template.get("metadata", {}), template.get("spec", {})
    ref = ObjectRef.of(live)
    owner = {"apiVersion": ref.api_version, "kind": ref.kind, "name": ref.name, "uid": live["metadata"].get("uid", "")}
    metadata = {"labels": meta.get("labels", {}), "ownerReferences": [{**owner, "controller": True}]}
    kept = ("serviceAccountName", "automountServiceAccountToken", "hostNetwork", "containers", "initContainers")
    return pod_of({"metadata": metadata, "spec": {key: spec[key] for key in kept if spec.get(key) is not None}})


def _hash_of(pod: SimPod) -> str:
    labels: dict[str, str] = msgspec.json.decode(pod.labels) if pod.labels != b"null" else {}
    return labels.get(HASH, "")


def _revision(found: DaemonSet, live: Json, number: int) -> Json:
    labels = found.template.get("metadata", {}).get("labels", {})
    owner = {"apiVersion": "apps/v1", "kind": DAEMONSET.name, "name": found.ref.name, "uid": live["metadata"].get("uid", "")}
    return {
        "apiVersion": CONTROLLER_REVISION.api_version,
        "kind": CONTROLLER_REVISION.name,
        "metadata": {
            "name": f"{found.ref.name}-{found.hash}",
            "namespace": found.ref.namespace,
            "labels": {**labels, HASH: found.hash},
            "ownerReferences": [{**owner, "controller": True}],
        },
        "data": {"spec": {"template": {**found.template, "$patch": "replace"}}},
        "revision": number,
    }
