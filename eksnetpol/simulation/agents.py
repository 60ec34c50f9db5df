"""The ``aws-node`` pods of a simulated cluster: a new template rolls through the nodes, and its agent starts, or crashes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from eksnetpol.engines.placement import suits
from eksnetpol.facts.vpc_cni import AGENT_CONTAINERS
from eksnetpol.model import kubernetes as k8s
from eksnetpol.model.kinds import (
    CONTROLLER_REVISION,
    DAEMONSET,
    Json,
    ObjectRef,
)
from eksnetpol.planning.rollout import SECONDS_A_TURN, at_a_time
from eksnetpol.simulation.agent_templates import crash_reason, is_another, is_policing, revision_hash
from eksnetpol.simulation.ground import Ground
from eksnetpol.simulation.rollout import Pods, State

REF = ObjectRef.to(DAEMONSET, "aws-node", "kube-system")
HASH = "controller-revision-hash"
_OF_PRESENT_TEMPLATE = frozenset({State.STARTING, State.AVAILABLE, State.CRASHING, State.NEVER})

_ELSEWHERE = ("fargate", "hybrid", "auto")
"""Values of ``eks.amazonaws.com/compute-type`` of nodes that ``aws-node`` does not run on."""


class Agents:
    """The DaemonSet's controller and its kubelets. ``seconds`` is how long one pod takes to be replaced."""

    def __init__(self, ground: Ground, pods: Iterable[k8s.AgentPod], *, seconds: float = SECONDS_A_TURN) -> None:
        self._ground = ground
        self._seconds = seconds
        self._known = tuple(pods)
        self._known_on = {p.spec.node_name: p for p in self._known}
        self._never: frozenset[str] = frozenset()
        self.crashes = ""
        """Why new agents crash, empty while they do not."""
        self._template: Any = None
        self._hash = ""
        """What the revision of the present template is called by."""
        self._former: tuple[Any, str] | None = None
        self._generation = -1
        self._restarted = False
        self._nameless = False
        """True where it was read how many pods there are, but not on which nodes."""
        self._on = False
        self._on_at_first = False
        self._policing: dict[int, bool] = {}
        """By number of a node, whether the agent of the pod that was made last is switched on; of those that are new."""
        self.pods: Pods | None = None
        live = ground.get(REF) if ground.knows(DAEMONSET) else None
        if live is not None:
            self._adopt(live)
        self._was_there = self.pods is not None

    @property
    def changed(self) -> bool:
        """True once pods are not those of the snapshot."""
        return (self.pods is not None) != self._was_there or bool(self.pods and self.pods.has_changed)

    def doom(self, nodes: Iterable[str]) -> None:
        """Let new pods on these nodes never become available."""
        self._never |= frozenset(nodes)
        if self.pods is not None:
            self.pods.doom(nodes)

    def restart(self, node: str, now: float) -> bool:
        """Replace the pod of a node, as when somebody deletes it; return whether there is one."""
        if self.pods is None or self.pods.number_of(node) is None:
            return False
        self.pods.delete(node, now)
        self._restarted = True
        return True

    def came(self, node: k8s.Node, now: float) -> None:
        """Start a pod on a node that has come, or whose labels changed, where it is one for ``aws-node``; else take it away."""
        if self.pods is None or self._nameless:
            return
        if _is_eligible(node) and self._selects(node):
            if self.pods.number_of(node.name) is None:
                self.pods.add(node.name, now)
                self._restarted = True
        else:
            self.went(node.name)

    def went(self, node: str) -> None:
        """Let the pod of a node go with it."""
        if self.pods is not None and self.pods.number_of(node) is not None:
            self.pods.remove(node)
            self._restarted = True

    def _selects(self, node: k8s.Node) -> bool:
        spec = (self._template or {}).get("spec", {})
        return suits(spec.get("nodeSelector") or {}, spec.get("affinity") or {}, node.metadata.labels, node.name)

    def polices(self, number: int) -> bool:
        """Say whether the agent of node *number* is switched on: by the template that its pod was made from."""
        return self._policing.get(number, self._on_at_first)

    def next_due(self, now: float) -> float | None:
        """Return when pods become available next, None when none are starting."""
        due = None if self.pods is None else self.pods.next_due()
        return None if due is None else max(due, now)

    def turn(self, now: float) -> None:
        """Do what is to be done by now: notice a new template, replace pods, count them in the status."""
        live = self._ground.get(REF) if self._ground.knows(DAEMONSET) else None
        if live is None:
            self.pods, self._generation, self._template = None, -1, None
            return
        changed, self._restarted = self._restarted, False
        if self.pods is None:
            self._begin(live, now)
            changed = True
        elif live["metadata"].get("generation", 0) != self._generation or live["spec"].get("template") is not self._template:
            changed = self._observe(live, now) or changed
        self.crashes = crash_reason(live, self._ground) if self.pods and self.pods.is_undecided else ""
        moved = self.pods is not None and self.pods.advance(now, crashes=bool(self.crashes))
        self._count_policing()
        if moved or changed:
            self._write(live)

    def _count_policing(self) -> None:
        if self.pods is not None:
            for number in self.pods.touched:
                if self.pods.states[number] in _OF_PRESENT_TEMPLATE and number in self.pods.replaced:
                    self._policing[number] = self._on

    # --- templates ----------------------------------------------------------------------------------------------------

    def _adopt(self, live: Json) -> None:
        """Take the DaemonSet and its pods as a snapshot has them."""
        self._template = live["spec"].get("template")
        self._on = self._on_at_first = is_policing(self._template)
        self._generation = live["metadata"].get("generation", 0)
        status = live.get("status", {})
        counted = status.get("desiredNumberScheduled", 0)
        names = [p.spec.node_name or p.metadata.name for p in self._known] or [f"node-{i}" for i in range(counted)]
        self._nameless = not self._known and counted > 0
        unready = _unready_nodes(self._ground)
        newest = self._hash = self._newest_hash()
        states = bytearray(State.AVAILABLE for _ in names)
        if not self._known:
            # Which ones are not available was not read, but how many.
            lacking = max(0, counted - status.get("numberAvailable", 0))
            states[:lacking] = bytearray([State.NEVER]) * lacking
        for i, pod in enumerate(self._known):
            is_old = bool(newest) and pod.metadata.labels.get(HASH, newest) != newest
            statuses = pod.status.container_statuses
            ready = pod.status.phase == "Running" and all(s.ready for s in statuses) and names[i] not in unready
            states[i] = (State.OLD if ready else State.OLD_UNAVAILABLE) if is_old else (State.AVAILABLE if ready else State.NEVER)
        self.pods = self._pods(live, names, states)
        self.doom(unready & set(names))

    def _begin(self, live: Json, now: float) -> None:
        """Put a pod on every node there is: the DaemonSet is new."""
        names = _eligible_nodes(self._ground)
        self.pods = self._pods(live, names, bytearray([State.OLD_UNAVAILABLE]) * len(names))
        self.doom(_unready_nodes(self._ground))
        self._noticed(live)
        self.pods.begin(now)

    def _observe(self, live: Json, now: float) -> bool:
        """Take a new state of the DaemonSet in; return whether its status has to say so."""
        generation = live["metadata"].get("generation", 0)
        changed = bool(generation != self._generation)
        if self.pods is not None and is_another(self._template, live["spec"].get("template")):
            self._former = (self._template, self._hash)
            self.pods.maximum, self.pods.on_delete = pace(live, len(self.pods.nodes))
            self._noticed(live)
            self.pods.restart(now)
            changed = True
        self._template, self._generation = live["spec"].get("template"), generation
        return changed

    def _noticed(self, live: Json) -> None:
        self._template = live["spec"].get("template")
        self._on = is_policing(self._template)
        self._generation = live["metadata"].get("generation", 0)
        self._hash = revision_hash(self._template)
        if not self._ground.knows(CONTROLLER_REVISION):
            return
        revisions = self._revisions()
        number = max((r.get("revision", 0) for r in revisions), default=0) + 1
        name = f"{REF.name}-{self._hash}"
        made = {
            "apiVersion": CONTROLLER_REVISION.api_version,
            "kind": CONTROLLER_REVISION.name,
            "metadata": {
                "name": name,
                "namespace": REF.namespace,
                "labels": {**self._template.get("metadata", {}).get("labels", {}), HASH: self._hash},
                "ownerReferences": [_owner(live)],
            },
            "data": {"spec": {"template": {**self._template, "$patch": "replace"}}},
            "revision": number,
        }
        self._ground.put(made)

    def _revisions(self) -> list[Json]:
        found = self._ground.objects(CONTROLLER_REVISION)
        return [r for r in found if any(o.get("name") == REF.name for o in r["metadata"].get("ownerReferences", ()))]

    def _newest_hash(self) -> str:
        revisions = self._revisions() if self._ground.knows(CONTROLLER_REVISION) else []
        newest = max(revisions, key=lambda r: r.get("revision", 0), default=None)
        return "" if newest is None else newest["metadata"]["name"].removeprefix(f"{REF.name}-")

    def _pods(self, live: Json, names: list[str], states: bytearray) -> Pods:
        at_once, on_delete = pace(live, len(names))
        return Pods(tuple(names), self._seconds, at_once, on_delete=on_delete, states=states)

    def _write(self, live: Json) -> None:
        assert self.pods is not None  # noqa: S101 - its caller asked
        status = {**live.get("status", {}), **self.pods.status, "observedGeneration": self._generation}
        if not status["numberUnavailable"]:
            del status["numberUnavailable"]
        self._ground.put({**live, "status": status})

    # --- what a look would see -----------------------------------------------------------------------------------------

    def seen(self) -> tuple[k8s.AgentPod, ...]:
        """Return the pods as a look would find them. Those nothing happened to are as they were."""
        if self.pods is None or not self.changed:
            return () if self.pods is None else self._known
        live = self._ground.get(REF)
        if live is None:
            return ()
        owner = msgspec.convert(_owner(live), k8s.OwnerReference)
        now = _Made.of(live["spec"]["template"], self._hash)
        before = now if self._former is None else _Made.of(*self._former)
        there = (i for i in range(len(self.pods.nodes)) if self.pods.states[i] != State.GONE)
        return tuple(self._pod(i, now, before, owner) for i in there)

    def seen_on(self, node: str) -> k8s.AgentPod | None:
        """Return the pod of one node as a look would find it, None where it has none."""
        number = None if self.pods is None else self.pods.number_of(node)
        live = self._ground.get(REF)
        if number is None or live is None:
            return None
        now = _Made.of(live["spec"]["template"], self._hash)
        before = now if self._former is None else _Made.of(*self._former)
        return self._pod(number, now, before, msgspec.convert(_owner(live), k8s.OwnerReference))

    def _pod(self, number: int, now: _Made, before: _Made, owner: k8s.OwnerReference) -> k8s.AgentPod:
        """Return the pod of a node: the one that was known at first, or that which took its place."""
        assert self.pods is not None  # noqa: S101 - its callers asked
        node, state = self.pods.nodes[number], self.pods.state_of(number)
        known = self._known_on.get(node)
        if known is not None and number not in self.pods.replaced:
            return known
        made = before if state in {State.OLD, State.OLD_UNAVAILABLE} else now
        birth = self.pods.births.get(number, 0)
        ending = hashlib.sha256(f"{node} {made.hash}{f' {birth}' if birth > 1 else ''}".encode()).hexdigest()
        host = known.status.host_ip if known is not None else ""
        return k8s.AgentPod(
            metadata=k8s.ObjectMeta(
                name=f"{REF.name}-{ending[:5]}",
                namespace=REF.namespace,
                uid=f"{ending[:8]}-{ending[8:12]}-4{ending[12:15]}-8{ending[15:18]}-{ending[18:30]}",
                labels=made.labels,
                owner_references=(owner,),
            ),
            spec=k8s.AgentPodSpec(node_name=node, containers=made.containers),
            status=k8s.AgentPodStatus(
                phase="Pending" if state is State.STARTING else "Running",
                pod_ip=host,
                host_ip=host,
                container_statuses=made.statuses[state],
            ),
        )


@dataclass(frozen=True, slots=True)
class _Made:
    """What the pods of one template have in common."""

    hash: str
    labels: dict[str, str]
    containers: tuple[k8s.Container, ...]
    statuses: dict[State, tuple[k8s.ContainerStatus, ...]]

    @classmethod
    def of(cls, template: Any, called: str) -> _Made:
        """Return it for a template whose revision is *called* so."""
        found = msgspec.convert(template.get("spec", {}).get("containers", []), tuple[k8s.Container, ...], strict=False)
        labels = {**template.get("metadata", {}).get("labels", {}), HASH: called}
        return cls(called, labels, found, {state: tuple(_status(c, state) for c in found) for state in State})


def _status(container: k8s.Container, state: State) -> k8s.ContainerStatus:
    ready = state in {State.AVAILABLE, State.OLD}
    if state is State.CRASHING and container.name in AGENT_CONTAINERS:
        waiting = k8s.ContainerStates(waiting=k8s.ContainerState(reason="CrashLoopBackOff"))
        return k8s.ContainerStatus(name=container.name, ready=False, restart_count=5, image=container.image, state=waiting)
    return k8s.ContainerStatus(name=container.name, ready=ready or state is State.CRASHING, image=container.image)


def _owner(daemonset: Json) -> Json:
    uid = daemonset["metadata"].get("uid", "")
    return {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": REF.name, "uid": uid, "controller": True}


def pace(daemonset: Json, nodes: int) -> tuple[int, bool]:
    """Return how many nodes may be without an available pod at once, and whether pods only go when they are deleted."""
    strategy = daemonset["spec"].get("updateStrategy") or {}
    told = strategy.get("rollingUpdate")
    rolling = None if told is None else msgspec.convert(told, k8s.RollingUpdate, strict=False)
    return at_a_time(rolling, nodes), strategy.get("type") == "OnDelete"


def _unready_nodes(ground: Ground) -> set[str]:
    found: set[str] = set()
    for node in ground.nodes:
        ready = next((c.status for c in node.status.conditions if c.type == "Ready"), "True")
        if ready != "True":
            found.add(node.name)
    return found


def _eligible_nodes(ground: Ground) -> list[str]:
    return [n.name for n in ground.nodes if _is_eligible(n)]


def _is_eligible(node: k8s.Node) -> bool:
    os, computes = node.status.node_info.operating_system, node.metadata.labels.get("eks.amazonaws.com/compute-type")
    return os in {"linux", ""} and computes not in _ELSEWHERE
