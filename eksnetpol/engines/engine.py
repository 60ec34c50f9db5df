"""What an engine is to this tool, and what it means that one is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from eksnetpol.model.kubernetes import ApiService, ConfigMap, CustomObject, KindCount, Namespace, Workload


class Life(StrEnum):
    """*Live*: its agent runs or is asked to run; *partial*: parts of it are there without a running agent; *residue*: only
    objects that nobody acts on any more.
    """

    LIVE = "live"
    PARTIAL = "partial"
    RESIDUE = "residue"


class Mode(StrEnum):
    """Whether an engine only polices, or also connects pods: only the former can be left without new pods."""

    POLICY_ONLY = "policy-only"
    FULL_CNI = "full-cni"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What detection may look at. Sections that could not be read are named in ``unread``."""

    daemonsets: tuple[Workload, ...] = ()
    deployments: tuple[Workload, ...] = ()
    configmaps: tuple[ConfigMap, ...] = ()
    namespaces: tuple[Namespace, ...] = ()
    api_services: tuple[ApiService, ...] = ()
    crd_groups: Mapping[str, int] = field(default_factory=dict)
    settings: tuple[CustomObject, ...] = ()
    foreign_kinds: tuple[KindCount, ...] = ()
    unread: tuple[str, ...] = ()

    def daemonset(self, *names: str) -> Workload | None:
        """Return the first DaemonSet with one of *names*, in any namespace: namespaces differ between installs."""
        return next((d for d in self.daemonsets if d.name in names), None)

    def deployment(self, *names: str) -> Workload | None:
        """Return the first Deployment with one of *names*."""
        return next((d for d in self.deployments if d.name in names), None)

    def configmap(self, name: str) -> Mapping[str, str] | None:
        """Return the data of the first ConfigMap called *name*."""
        return next((c.data for c in self.configmaps if c.metadata.name == name), None)

    def groups_under(self, *suffixes: str) -> int:
        """Return how many CustomResourceDefinitions belong to groups that end in one of *suffixes*."""
        return sum(
            n for group, n in self.crd_groups.items() if any(group == s or group.endswith("." + s) for s in suffixes)
        )


@dataclass(frozen=True, slots=True)
class Presence:
    """An engine that is there. ``evidence`` says what was seen, ``workload`` is its agent where there is one."""

    name: str
    title: str
    life: Life
    mode: Mode
    evidence: tuple[str, ...]
    workload: Workload | None = None
    enforces: bool = True


Detect = Callable[[Surroundings], Presence | None]


@dataclass(frozen=True, slots=True)
class Engine:
    """An enforcement engine. ``groups`` are the API groups of its own kinds."""

    name: str
    title: str
    groups: tuple[str, ...]
    detect: Detect


def env_of(workload: Workload, container: str) -> Mapping[str, str]:
    """Return the literal environment of a container by name."""
    found = workload.container(container)
    return {} if found is None else {e.name: e.value for e in found.env if e.value is not None}


def presence(
    engine: str,
    title: str,
    agent: Workload | None,
    mode: Mode,
    *,
    parts: tuple[Workload | None, ...] = (),
    left_over: tuple[str, ...] = (),
    enforces: bool = True,
) -> Presence | None:
    """Judge an engine from its *agent*, its other running *parts* and what else is *left_over*; None where nothing is."""
    if agent is not None and (agent.status.desired_number_scheduled > 0 or not _has_status(agent)):
        seen = (_running(agent), *(_running(p) for p in parts if p is not None))
        return Presence(engine, title, Life.LIVE, mode, seen, agent, enforces)
    remaining = tuple(w for w in (agent, *parts) if w is not None)
    if remaining:
        return Presence(engine, title, Life.PARTIAL, mode, tuple(_running(w) for w in remaining), agent, enforces)
    if left_over:
        return Presence(engine, title, Life.RESIDUE, Mode.UNKNOWN, left_over, None, enforces=False)
    return None


def _has_status(workload: Workload) -> bool:
    # A manifest has no status; the API server's object always has an observed generation once the controller saw it.
    return workload.status.observed_generation > 0


def _running(workload: Workload) -> str:
    kind = (workload.kind or "workload").lower()
    if not _has_status(workload):
        return f"{kind} {workload.namespace}/{workload.name}"
    if workload.kind == "DaemonSet":
        ready, wanted = workload.status.number_ready, workload.status.desired_number_scheduled
    else:
        ready, wanted = workload.status.ready_replicas, workload.status.replicas
    return f"{kind} {workload.namespace}/{workload.name}: {ready} of {wanted} ready"
