"""Those who act on a cluster beside the tool: people or Karpenter who bring and delete nodes, and GitOps that puts things back.

Actors have two methods: ``next_due`` returns when they do something by time alone, None for never; ``turn`` does what is to be
done by now.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from eksnetpol.fields.managers import stamp
from eksnetpol.fields.values import copied
from eksnetpol.model.kinds import NODE, Json, ObjectRef
from eksnetpol.simulation.ground import Ground
from eksnetpol.simulation.nodes import NodeFacts, Nodes, with_readiness
from eksnetpol.simulation.operators import bare
from eksnetpol.simulation.pods import ADDRESSED, PodTable, uid_of

LABEL = ("eksnetpol.io/engine", "vpc-cni")
"""What marks a node as one that the old engine never gets to."""

_HOSTNAME = "kubernetes.io/hostname"


class Actor(Protocol):
    """Somebody who acts in a simulated cluster."""

    def next_due(self, now: float) -> float | None:
        """Return when there is something to do by time alone, None for never."""

    def turn(self, now: float) -> None:
        """Do what is to be done by now."""


@dataclass(slots=True)
class NodeSupply:
    """People, a node group or Karpenter: they bring new nodes with a label, and delete old ones that are drained.

    Of new nodes there are at most ``ahead`` more than old ones were deleted, each made like an old one. ``late`` is how long they
    take to come, ``ready_in`` how long from then until a node's kubelet is ready, ``deletes_in`` how long a drained node stays.
    With ``never`` nobody comes. ``unready`` is how many of the new nodes never get ready.
    """

    ground: Ground
    nodes: Nodes
    table: PodTable
    ahead: int = 10
    late: float = 120.0
    ready_in: float = 45.0
    deletes_in: float = 60.0
    never: bool = False
    unready: int = 0
    label: tuple[str, str] = LABEL
    _old: list[str] = field(default_factory=list)
    _gone: int = 0
    _made: int = 0
    _comes: list[float] = field(default_factory=list)
    _gets_ready: dict[str, float] = field(default_factory=dict)
    _goes: dict[str, float] = field(default_factory=dict)
    _cordoned: dict[str, frozenset[str]] = field(default_factory=dict)
    """Cordoned old nodes, each with the uids of the pods that were on it then: what comes later goes with the node."""

    def __post_init__(self) -> None:
        self._old = [name for name, node in self.nodes.all.items() if not self._is_new(node)]
        self._cordoned = {name: self._on(name) for name in self._old if self.nodes.all[name].cordoned}
        self.nodes.listeners.append(self._node_changed)

    def next_due(self, now: float) -> float | None:
        """Return when a node comes, gets ready or goes next."""
        if self.never:
            return None
        if self._lacking():
            return now
        due = [*self._comes[:1], *self._gets_ready.values(), *self._goes.values()]
        return min(due, default=None)

    def turn(self, now: float) -> None:
        """Bring nodes, let them get ready, delete those that are drained."""
        if self.never:
            return
        self._comes += [now + self.late] * self._lacking()
        while self._comes and self._comes[0] <= now:
            self._comes.pop(0)
            self._bring(now)
        for name in [name for name, due in self._gets_ready.items() if due <= now]:
            del self._gets_ready[name]
            self.nodes.mark(name, ready=True)
        for name in tuple(self._cordoned):
            if name not in self._goes and self._is_drained(name):
                self._goes[name] = now + self.deletes_in
        for name in [name for name, due in self._goes.items() if due <= now]:
            del self._goes[name]
            is_drained = self._is_drained(name)
            self._cordoned.pop(name, None)
            if is_drained:
                self._gone += 1
                self.ground.delete(ObjectRef.to(NODE, name))

    def _lacking(self) -> int:
        return max(0, min(len(self._old), self._gone + self.ahead) - self._made - len(self._comes))

    def _is_new(self, node: NodeFacts) -> bool:
        return node.struct.metadata.labels.get(self.label[0]) == self.label[1]

    def _node_changed(self, name: str, node: NodeFacts | None) -> None:
        if node is not None and node.cordoned and not self._is_new(node):
            self._cordoned.setdefault(name, self._on(name))
        else:
            self._cordoned.pop(name, None)
            self._goes.pop(name, None)

    def _on(self, name: str) -> frozenset[str]:
        return frozenset(pod.uid for pod in self.table.on.get(name, {}).values())

    def _is_drained(self, name: str) -> bool:
        node = self.nodes.get(name)
        if node is None or not node.cordoned:
            return False
        # What has finished is moved by nobody, and goes with its node.
        there = self._cordoned.get(name, frozenset())
        left = (pod for pod in self.table.on.get(name, {}).values() if pod.phase in ADDRESSED and pod.uid in there)
        return all(pod.owner is not None and pod.owner.kind == "DaemonSet" for pod in left)

    def _bring(self, now: float) -> None:
        like = self.nodes.get(self._old[self._made % len(self._old)])
        live = None if like is None else self.ground.get(ObjectRef.to(NODE, like.name))
        if live is None:
            live = next(iter(self.ground.objects(NODE)), None)
        self._made += 1
        if live is None:
            return
        made = self._like(live)
        if self.unready > 0:
            self.unready -= 1
            self.table.dead.add(made["metadata"]["name"])
        else:
            self._gets_ready[made["metadata"]["name"]] = now + self.ready_in
        self.ground.put(made)

    def _like(self, live: Json) -> Json:
        """Return a node that is like another one, has a name of its own and is not ready yet."""
        uid = uid_of(f"{live['metadata']['name']} {self._made}")
        address = self.table.addresses.new()
        name = f"ip-{address.replace('.', '-').replace(':', '-')}.new"
        labels = {**live["metadata"].get("labels", {}), _HOSTNAME: name, self.label[0]: self.label[1]}
        spec = {k: v for k, v in live.get("spec", {}).items() if k not in {"unschedulable", "taints"}}
        place = spec.get("providerID", "").rpartition("/")[0]
        spec |= {"providerID": f"{place}/i-{uid.replace('-', '')[:17]}"} if place else {}
        status = {**live.get("status", {}), "addresses": [{"type": "InternalIP", "address": address}]}
        meta = {"name": name, "labels": labels, "uid": uid, "creationTimestamp": stamp(self.ground.api.now())}
        made = {**live, "metadata": meta}
        return with_readiness({**made, "spec": spec, "status": status}, ready=False)


class GitOps:
    """A controller that keeps objects as they were when it came: what is deleted or edited is put back, every so many seconds."""

    def __init__(self, ground: Ground, refs: Iterable[ObjectRef], *, every: float = 60.0) -> None:
        self._ground = ground
        self._every = every
        self._kept = {ref: bare(live) for ref in refs if (live := ground.get(ref)) is not None}
        self._next = 0.0

    def next_due(self, now: float) -> float | None:
        """Return when it looks next."""
        return max(self._next, now) if any(self._is_off(ref) for ref in self._kept) else None

    def turn(self, now: float) -> None:
        """Put back what is gone or another, when it is time to look."""
        if now < self._next:
            return
        self._next = now + self._every
        for ref, kept in self._kept.items():
            live = self._ground.get(ref)
            if live is None and self._ground.serves(ref.of_kind):
                self._ground.of(ref.of_kind).create(copied(kept), manager="argocd-controller")
            elif live is not None and self._is_off(ref):
                meta = {**live["metadata"], "generation": live["metadata"].get("generation", 0) + 1}
                self._ground.put({**live, "metadata": meta, "spec": kept["spec"]})

    def _is_off(self, ref: ObjectRef) -> bool:
        live = self._ground.get(ref)
        return live is None or live.get("spec") != self._kept[ref].get("spec")
