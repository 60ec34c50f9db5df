"""What lives in a simulated cluster beside EKS, ``aws-node`` and the policy controller: nodes, pods, their controllers, engines.

It begins when somebody first needs it: a rehearsal that only turns policies on never makes 20,000 pods.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime

import msgspec
from msgspec.structs import replace

from eksnetpol.engines.engine import Presence
from eksnetpol.errors import EksNetpolError, NotFound
from eksnetpol.facts.declare import Lookup, catalog
from eksnetpol.model import kubernetes as k8s
from eksnetpol.model.enforcement import Scene
from eksnetpol.model.kinds import (
    DAEMONSET,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    NODE,
    POLICY_ENDPOINT,
    STATEFUL_SET,
    Json,
    Kind,
    ObjectRef,
)
from eksnetpol.model.snapshot import ClusterSnapshot, Seen, Unread
from eksnetpol.planning.reading import known
from eksnetpol.simulation import agents as aws_node
from eksnetpol.simulation.addresses import Addresses
from eksnetpol.simulation.agents import Agents
from eksnetpol.simulation.budgets import Budgets
from eksnetpol.simulation.controller import MOST_WHERE_PODS_MOVE, Controller
from eksnetpol.simulation.daemonsets import DaemonSets
from eksnetpol.simulation.enforcing import Enforcing
from eksnetpol.simulation.ground import Ground
from eksnetpol.simulation.jobs import Jobs
from eksnetpol.simulation.nodes import NodeFacts, Nodes
from eksnetpol.simulation.old_engines import old_engines
from eksnetpol.simulation.operators import Operators
from eksnetpol.simulation.people import Actor
from eksnetpol.simulation.pods import Owner, Phase, PodTable, SimPod, json_of, pod_of, struct_of
from eksnetpol.simulation.scheduling import Scheduler
from eksnetpol.simulation.sections import kinds_of
from eksnetpol.simulation.services import OF_SERVICE, Services
from eksnetpol.simulation.workloads import Workloads

_AGENT = Owner("kube-system", DAEMONSET.name, aws_node.REF.name)
_EXAMPLES = 3
_FINISHED = {"Succeeded": Phase.SUCCEEDED, "Failed": Phase.FAILED}


class Life:
    """All of it. *now* tells seconds, *stirred* is to be called when controllers have something to react to.

    Raises `EksNetpolError` where a snapshot does not hold what it takes: nodes, pods and DaemonSets.
    """

    def __init__(
        self,
        snapshot: ClusterSnapshot,
        ground: Ground,
        agents: Agents,
        controller: Controller,
        *,
        now: Callable[[], float],
        clock: Callable[[], datetime],
        stirred: Callable[[], None],
    ) -> None:
        self._snapshot, self._ground, self._agents, self._controller = snapshot, ground, agents, controller
        self._now = now
        pods = _pods_of(snapshot)
        self.nodes = Nodes(ground)
        taken = [pod.status.pod_ip for pod in pods if not pod.spec.host_network]
        taken += [node.address for node in self.nodes.all.values()]
        self.pods = PodTable(now, clock, Addresses(taken), self._address_of)
        self._agent_pods: dict[str, k8s.Pod] = {}
        there = [found for pod in pods if (found := self._adopted(pod)) is not None]
        self.daemonsets = DaemonSets(ground, self.nodes, self.pods, _of_daemonsets(there))
        self.workloads = Workloads(ground, self.nodes, self.pods, there)
        self.scheduler = Scheduler(self.nodes, self.pods, self.workloads.wishes_of)
        for pod in there:
            if pod.phase is Phase.PENDING:
                self.scheduler.park(pod)
        self.budgets = Budgets(ground, self.pods, self.workloads.scale)
        self.jobs = Jobs(ground, self.nodes, self.pods)
        self.services = Services(ground, self.pods)
        self.operators = Operators(ground, self.pods, self.workloads)
        self.engines = old_engines(_engines(snapshot), ground)
        self.enforcing = Enforcing(
            ground, self.nodes, self.pods, agents, self.engines,
            writes=lambda: controller.is_on, endpoints=lambda: ground.count(POLICY_ENDPOINT),
        )  # fmt: skip
        self.jobs.cleaning.append(self.enforcing.cleaned)
        self.actors: list[Actor] = []
        self.nodes.listeners.append(self._node_changed)
        self.pods.listeners.append(lambda *_: stirred())
        self.pods.listeners.append(lambda *_: controller.pods_changed())
        controller.most_entries = MOST_WHERE_PODS_MOVE
        controller.holding.append(self._holds)
        ground.pods_now = self.structs

    def _adopted(self, pod: k8s.Pod) -> SimPod | None:
        owner = next((o for o in pod.metadata.owner_references if o.controller), None)
        found = None if owner is None else Owner(pod.namespace, owner.kind, owner.name)
        if found == _AGENT:
            self._agent_pods[pod.spec.node_name] = pod
            return None
        node = self.nodes.get(pod.spec.node_name)
        if pod.metadata.deletion_timestamp is not None:
            phase = Phase.ENDING
        elif pod.status.phase in _FINISHED:
            phase = _FINISHED[pod.status.phase]
        elif not pod.spec.node_name:
            phase = Phase.PENDING
        else:
            phase = Phase.READY if pod.status.phase == "Running" and (node is None or node.ready) else Phase.UNREADY
        made = SimPod(
            pod.namespace, pod.name, pod.metadata.uid, found, pod, phase, pod.spec.node_name, pod.status.pod_ip,
            pod.status.host_ip, ended_at=pod.metadata.deletion_timestamp, known=True,
        )  # fmt: skip
        self.pods.adopt(made)
        return made

    def _address_of(self, name: str) -> str:
        node = self.nodes.get(name)
        return "" if node is None else node.address

    @property
    def untold(self) -> tuple[str, ...]:
        """What the snapshot does not say and what is taken to be so instead, a sentence each; empty where nothing is."""
        told = (
            ("disruption_budgets", "Disruption budgets were not read: every eviction is taken to be allowed."),
            ("services", "Services were not read: every webhook and aggregated API is taken to be answered."),
            ("deployments", "Deployments were not read: pods of theirs are taken to run on any node."),
            ("statefulsets", "StatefulSets were not read: pods of theirs are taken to run on any node."),
        )
        return tuple(words for name, words in told if isinstance(getattr(self._snapshot, name), Unread))

    # --- time ---

    def next_due(self) -> float | None:
        """Return when something happens by time alone, None for never."""
        now = self._now()
        due = [self.pods.next_due(), self.jobs.next_due(), *(actor.next_due(now) for actor in self.actors)]
        return min((one for one in due if one is not None), default=None)

    def turn(self) -> None:
        """Do what is to be done by now."""
        now = self._now()
        self.pods.advance()
        self.jobs.turn()
        self.daemonsets.turn()
        self.workloads.turn()
        self.scheduler.turn()
        self.services.turn()
        self.operators.turn()
        for actor in self.actors:
            actor.turn(now)

    def _node_changed(self, name: str, node: NodeFacts | None) -> None:
        if node is None:
            self._agents.went(name)
            for pod in tuple(self.pods.on.get(name, {}).values()):
                self.pods.drop(pod)
            return
        if name in self.pods.dead:
            self._agents.doom((name,))
        self._agents.came(node.struct, self._now())
        for pod in tuple(self.pods.on.get(name, {}).values()):
            # What a kubelet that does not answer ran is not ready, and is again when it does.
            if pod.phase is Phase.READY and not node.ready:
                self.pods.turn_into(pod, Phase.UNREADY)
            elif pod.phase is Phase.UNREADY and node.ready and name not in self.pods.dead:
                self.pods.turn_into(pod, Phase.READY)

    # --- what is done to it ---

    def doom(self, nodes: Iterable[str]) -> None:
        """Let new pods on these nodes never get ready."""
        self.pods.dead |= set(nodes)

    def evict(self, ref: ObjectRef, uid: str) -> None:
        """Evict a pod; see `interfaces.acting.Hands.evict`."""
        pod = self.pods.of(ref)
        if pod is None:
            self._delete_agent(ref, uid)
        elif uid in {"", pod.uid}:
            self.budgets.allow(pod)
            self.pods.end(pod)

    def delete(self, ref: ObjectRef, uid: str) -> None:
        """Delete a pod."""
        pod = self.pods.of(ref)
        if pod is None:
            self._delete_agent(ref, uid)
        elif uid in {"", pod.uid}:
            self.pods.end(pod)

    def _delete_agent(self, ref: ObjectRef, uid: str) -> None:
        for pod in self._agents.seen() if ref.namespace == aws_node.REF.namespace else ():
            if pod.metadata.name == ref.name and uid in {"", pod.metadata.uid}:
                self._agents.restart(pod.spec.node_name, self._now())

    def create(self, found: Json) -> Json:
        """Make a pod that nobody owns."""
        meta, node = found["metadata"], found.get("spec", {}).get("nodeName", "")
        if node and self.nodes.get(node) is None:
            raise NotFound(f"there is no node {node} for pod {meta['name']}", kind=str(NODE), name=node)
        like = pod_of({**found, "spec": {k: v for k, v in found.get("spec", {}).items() if k != "nodeName"}})
        pod = self.pods.add(like, None, name=meta["name"], namespace=meta.get("namespace", ""))
        if node:
            self.pods.bind(pod, node)
        return json_of(pod)

    def _holds(self, namespace: str) -> str:
        """Let the pods of a namespace that goes end; return what keeps it from going, empty for nothing."""
        self.workloads.end_all(namespace)
        for pod in tuple(self.pods.in_namespace(namespace)):
            self.pods.end(pod)
        if stale := self.services.unavailable:
            return f"Discovery failed for some groups: unable to retrieve the complete list of server APIs: {stale[0]}"
        left = len(self.pods.spaces.get(namespace, ()))
        return (
            f"Some content in the namespace has finalizers or is still ending: pods has {left} resource instances" if left else ""
        )

    # --- what a look sees ---

    def refresh(self, kind: Kind) -> None:
        """Write into the status of objects of *kind* what is counted now."""
        if kind == DAEMONSET:
            self.daemonsets.refresh()
        elif kind in {DEPLOYMENT, STATEFUL_SET}:
            self.workloads.refresh(kind)
        elif kind == DISRUPTION_BUDGET:
            self.budgets.refresh()

    def slices(self, namespace: str, selector: str) -> tuple[Json, ...]:
        """Return the EndpointSlices; *selector* may name a Service by its label."""
        key, _, service = selector.partition("=")
        found = self.services.slices(namespace, service if key == OF_SERVICE else "")
        return tuple(sorted(found, key=lambda one: (one["metadata"]["namespace"], one["metadata"]["name"])))

    def scene(self) -> Scene:
        """Return who enforces what where now."""
        return self.enforcing.scene(self._now())

    def pods_on(self, node: str) -> tuple[Json, ...]:
        """Return the pods bound to a node."""
        agent = self._agents.seen_on(node)
        own = tuple(map(json_of, self.pods.on.get(node, {}).values()))
        return own if agent is None else (*own, agent_json(agent))

    def json_pods(self, namespace: str, fits: Callable[[bytes], bool]) -> list[Json]:
        """Return the pods but those of ``aws-node`` whose labels, in JSON, fit."""
        told: dict[bytes, bool] = {}
        found = []
        for pod in self.pods.in_namespace(namespace):
            raw = pod.labels
            if raw not in told:
                told[raw] = fits(raw)
            if told[raw]:
                found.append(json_of(pod))
        return found

    def sections(self, found: Mapping[str, object]) -> dict[str, object]:
        """Return the sections of a snapshot that tell what became of pods and of others' policies; *found* are other ones."""
        more: dict[str, object] = {}
        if self.pods.changed:
            more["pods"] = Seen(self.structs())
        revisions = found.get("controller_revisions")
        if isinstance(revisions, Seen):
            more["controller_revisions"] = Seen(tuple(r for r in revisions.value if _is_of_agent(r)), revisions.complete)
        counts = self._snapshot.foreign_kinds
        if "foreign_policies" in found and isinstance(counts, Seen):
            more["foreign_kinds"] = Seen(tuple(filter(None, map(self._counted, counts.value))), counts.complete)
        return more

    def _counted(self, told: k8s.KindCount) -> k8s.KindCount | None:
        kinds = [kind for kind in kinds_of("foreign_policies") if (kind.group, kind.plural) == (told.group, told.plural)]
        if not kinds:
            return told
        if not self._ground.serves(kinds[0]):
            return None
        names = [live["metadata"]["name"] for live in self._ground.known(kinds[0])]
        return replace(told, count=len(names), examples=tuple(names[: len(told.examples) or _EXAMPLES]))

    def structs(self) -> tuple[k8s.Pod, ...]:
        """Return all pods as a snapshot keeps them, in the order in which an API server lists them."""
        found = [struct_of(pod) for pod in self.pods.all.values()]
        found += filter(None, (self._agent_struct(pod) for pod in self._agents.seen()))
        return tuple(sorted(found, key=lambda pod: (pod.namespace, pod.name)))

    def _agent_struct(self, agent: k8s.AgentPod) -> k8s.Pod | None:
        former = self._agent_pods.get(agent.spec.node_name)
        like = former or next(iter(self._agent_pods.values()), None)
        if like is None or (former is not None and former.name == agent.metadata.name):
            return former
        host = agent.status.host_ip or self._address_of(agent.spec.node_name)
        return replace(
            like,
            metadata=replace(like.metadata, name=agent.metadata.name, uid=agent.metadata.uid),
            spec=replace(like.spec, node_name=agent.spec.node_name),
            status=k8s.PodStatus(phase=agent.status.phase, pod_ip=host, host_ip=host),
        )


def agent_json(pod: k8s.AgentPod) -> Json:
    """Return a pod of ``aws-node`` as the API server shows it."""
    shown: Json = {**msgspec.to_builtins(pod), "apiVersion": "v1", "kind": "Pod"}
    # A look does not keep it of these pods, which are on the host's network in every release.
    shown["spec"] = {**shown.get("spec", {}), "hostNetwork": True}
    statuses = pod.status.container_statuses
    ready = pod.status.phase == "Running" and all(status.ready for status in statuses)
    conditions = [{"type": name, "status": "True" if ready else "False"} for name in ("Ready", "ContainersReady")]
    return {**shown, "status": {**shown.get("status", {}), "conditions": conditions}}


def _is_of_agent(revision: k8s.ControllerRevision) -> bool:
    return any(owner.name == aws_node.REF.name for owner in revision.metadata.owner_references)


def _of_daemonsets(pods: Iterable[SimPod]) -> Iterator[SimPod]:
    return (pod for pod in pods if pod.owner is not None and pod.owner.kind == DAEMONSET.name)


def _pods_of(snapshot: ClusterSnapshot) -> tuple[k8s.Pod, ...]:
    if isinstance(snapshot.pods, Unread):
        raise EksNetpolError(
            f"This cannot be rehearsed: the snapshot does not say which pods there are ({snapshot.pods.reason}). "
            "Take one that could read them: eksnetpol snapshot save"
        )
    return snapshot.pods.value


def _engines(snapshot: ClusterSnapshot) -> tuple[Presence, ...]:
    catalog()
    found: tuple[Presence, ...] = known(Lookup(snapshot), "engines", ())
    return found
