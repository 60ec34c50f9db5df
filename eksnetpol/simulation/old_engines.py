"""What belongs to an engine that a simulated cluster is to leave: its agent, its other workloads, and where its rules live.

Names are those of the projects' own manifests and charts (engines.md 1.1, 2.1, 3 to 6).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from eksnetpol.engines.engine import Life, Presence
from eksnetpol.model.kinds import DAEMONSET, DEPLOYMENT, Kind, ObjectRef
from eksnetpol.simulation.ground import Ground

_CALICO: Mapping[Kind, tuple[str, ...]] = {
    DAEMONSET: ("calico-node", "canal", "csi-node-driver"),
    DEPLOYMENT: (
        "tigera-operator", "calico-typha", "calico-kube-controllers", "calico-apiserver", "calico-webhooks", "goldmane",
        "whisker", "guardian",
    ),
}  # fmt: skip
_PARTS: Mapping[str, Mapping[Kind, tuple[str, ...]]] = {
    "calico": _CALICO,
    "canal": _CALICO,
    "cilium": {
        DAEMONSET: ("cilium", "cilium-envoy", "cilium-node-init"),
        DEPLOYMENT: ("cilium-operator", "hubble-relay", "hubble-ui", "clustermesh-apiserver"),
    },
    "antrea": {DAEMONSET: ("antrea-agent", "antrea-node-init"), DEPLOYMENT: ("antrea-controller",)},
    "kube-router": {DAEMONSET: ("kube-router",)},
    "weave": {DAEMONSET: ("weave-net",)},
}


@dataclass(frozen=True, slots=True)
class OldEngine:
    """An engine that lives in the cluster. ``agent`` is its DaemonSet, ``parts`` all its workloads that are there at first."""

    name: str
    agent: ObjectRef
    parts: tuple[ObjectRef, ...]


def old_engines(presences: Iterable[Presence], ground: Ground) -> tuple[OldEngine, ...]:
    """Return the engines whose agents run, or are asked to."""
    found = []
    for presence in presences:
        agent = presence.workload
        if agent is None or presence.life is not Life.LIVE or not presence.enforces:
            continue
        ref = ObjectRef.to(DAEMONSET, agent.name, agent.namespace)
        parts = _parts(presence.name, ground)
        found.append(OldEngine(presence.name, ref, tuple(sorted({ref, *parts}))))
    return tuple(found)


def _parts(engine: str, ground: Ground) -> tuple[ObjectRef, ...]:
    names = _PARTS.get(engine, {})
    return tuple(
        ObjectRef.of(live) for kind, wanted in names.items() for live in ground.known(kind) if live["metadata"]["name"] in wanted
    )
