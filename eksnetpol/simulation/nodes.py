"""The nodes of a simulated cluster, as those see them who put pods there: kept up to date as their objects change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from eksnetpol.model import kubernetes as k8s
from eksnetpol.model.kinds import NODE, Json, ObjectRef
from eksnetpol.simulation.api_server import Change
from eksnetpol.simulation.ground import Ground

MOST_PODS = 110
"""Pods a node takes whose ``allocatable`` does not say: the kubelet's own default."""

_READY = "Ready"
_KEEPS_OFF = frozenset({"NoSchedule", "NoExecute"})


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """One node at one moment. ``taints`` are those that keep pods off, ``room`` is how many pods it takes in all."""

    struct: k8s.Node
    taints: frozenset[tuple[str, str, str]]
    ready: bool
    room: int

    @property
    def name(self) -> str:
        """Its name."""
        return self.struct.name

    @property
    def cordoned(self) -> bool:
        """True while nothing new is put there."""
        return self.struct.spec.unschedulable

    @property
    def address(self) -> str:
        """Its address within the VPC, empty where that was not told."""
        return next((a.address for a in self.struct.status.addresses if a.type == "InternalIP"), "")


Heard = Callable[[str, NodeFacts | None], None]
"""Told the name of a node that came, changed or (None) went."""


class Nodes:
    """All nodes by name. ``listeners`` hear of every change once it has been made, in the order in which they were added."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self.all: dict[str, NodeFacts] = {node["metadata"]["name"]: _facts(node) for node in ground.of(NODE).objects(NODE)}
        self.listeners: list[Heard] = []
        ground.api.after_change.append(self._noticed)

    def get(self, name: str) -> NodeFacts | None:
        """Return a node, None where there is none."""
        return self.all.get(name)

    def mark(self, name: str, *, ready: bool) -> None:
        """Let a node's kubelet say that it is ready, or not."""
        live = self._ground.get(ObjectRef.to(NODE, name))
        if live is not None:
            self._ground.put(with_readiness(live, ready=ready))

    def _noticed(self, change: Change) -> None:
        if change.ref.kind != NODE.name:
            return
        name = change.ref.name
        if change.after is None:
            self.all.pop(name, None)
        else:
            self.all[name] = _facts(change.after)
        for listener in self.listeners:
            listener(name, self.all.get(name))


def with_readiness(node: Json, *, ready: bool) -> Json:
    """Return a node whose kubelet says that it is ready, or not."""
    status = node.get("status", {})
    others = [c for c in status.get("conditions", ()) if c.get("type") != _READY]
    told = {"type": _READY, "status": "True" if ready else "False", "reason": "KubeletReady" if ready else "KubeletNotReady"}
    return {**node, "status": {**status, "conditions": [told, *others]}}


def _facts(node: Json) -> NodeFacts:
    struct = msgspec.convert(node, k8s.Node, strict=False)
    ready = next((c.status for c in struct.status.conditions if c.type == _READY), "True") == "True"
    told = struct.status.allocatable.get("pods", "")
    taints = frozenset((t.key, t.value, t.effect) for t in struct.spec.taints if t.effect in _KEEPS_OFF)
    return NodeFacts(struct, taints, ready, int(told) if told.isdecimal() else MOST_PODS)
