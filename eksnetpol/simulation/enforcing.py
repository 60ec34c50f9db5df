"""Who enforces what on each node of a simulated cluster, from moment to moment: `model.enforcement.Scene`.

The old engine: a ready agent is *live*. Where its pod ends, or has not started again, its rules stay in the kernel: *frozen*;
a cleaner takes them out, and a node that is new never had any. The new one: an agent that is switched on, available, and has a
controller that writes for it, is *live*; where that stops, eBPF programs stay with the rules of that moment until no
PolicyEndpoint is left for an agent that starts anew.

What is in a kernel no snapshot tells. At first the old engine's rules are taken to be where its agent runs, and the new one's
programs where its agent works; what agents that are gone may have left on other nodes is not known.

Only nodes that something happened on are looked at again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from eksnetpol.model.enforcement import Enforcement, NodeState, Scene
from eksnetpol.model.engine_kinds import CALICO_SHOWN, CALICO_STORED, CILIUM_POLICIES
from eksnetpol.model.kinds import APPLICATION_POLICY, CLUSTER_POLICY, NETWORK_POLICY, Json
from eksnetpol.simulation.agents import Agents
from eksnetpol.simulation.api_server import Change
from eksnetpol.simulation.ground import Ground
from eksnetpol.simulation.jobs import Cleaning
from eksnetpol.simulation.nodes import NodeFacts, Nodes
from eksnetpol.simulation.old_engines import OldEngine
from eksnetpol.simulation.pods import ADDRESSED, LIVE, Owner, Phase, PodTable, SimPod
from eksnetpol.simulation.rollout import State

_TARGETS = frozenset((kind.api_version, kind.name) for kind in (NETWORK_POLICY, APPLICATION_POLICY, CLUSTER_POLICY))
_SOURCES = frozenset((kind.api_version, kind.name) for kind in (*CALICO_STORED, *CALICO_SHOWN, *CILIUM_POLICIES))
_WORKS = frozenset({State.AVAILABLE, State.OLD})


class Enforcing:
    """The truth about nodes. *writes* says whether the policy controller is on, *endpoints* counts PolicyEndpoints."""

    def __init__(
        self,
        ground: Ground,
        nodes: Nodes,
        table: PodTable,
        agents: Agents,
        engines: tuple[OldEngine, ...],
        *,
        writes: Callable[[], bool],
        endpoints: Callable[[], int],
    ) -> None:
        self._ground, self._nodes, self._table, self._agents = ground, nodes, table, agents
        self._engines = engines
        self._writes, self._endpoints = writes, endpoints
        self._owners = {Owner(e.agent.namespace, e.agent.kind, e.agent.name): e.name for e in engines}
        self._ruled: set[str] = set()
        """Nodes in whose kernels the old engine's rules are."""
        self._frozen_at: dict[str, float] = {}
        self._cleaning: set[str] = set()
        self._programmed: set[str] = set()
        """Nodes in whose kernels the new engine's programs are."""
        self._states: dict[str, NodeState] = {}
        self._dirty: dict[str, None] = dict.fromkeys(nodes.all)
        self._policies = self._sources = 0
        self._parts = {ref: True for engine in engines for ref in engine.parts}
        self._was_on = writes()
        self._scene: Scene | None = None
        self._old_agents: dict[str, dict[str, SimPod]] = {}
        """Pods of old agents, by node and name."""
        self._addressed: Counter[str] = Counter()
        """How many pods with an address of their own are on a node."""
        for pod in table.all.values():
            self._addressed[pod.node] += _has_address(pod, pod.phase)
            if pod.owner in self._owners and pod.node:
                self._old_agents.setdefault(pod.node, {})[pod.name] = pod
                if pod.phase in {Phase.READY, Phase.ENDING}:
                    self._ruled.add(pod.node)
        for node in self._ruled:
            self._settle(node)
        nodes.listeners.append(self._node_changed)
        table.listeners.append(self._pod_changed)
        ground.api.after_change.append(self._noticed)

    def cleaned(self, node: str, engine: str, what: Cleaning) -> None:
        """A cleaner of *engine*'s rules begins on a node, or has ended. After one that failed, rules of it are still there."""
        if engine not in {one.name for one in self._engines}:
            return
        if what is Cleaning.BEGINS:
            self._cleaning.add(node)
        else:
            self._cleaning.discard(node)
        if what is Cleaning.DONE:
            self._ruled.discard(node)
            self._frozen_at.pop(node, None)
        self._dirty[node] = None

    # --- what changed ---

    def _node_changed(self, name: str, node: NodeFacts | None) -> None:
        self._dirty[name] = None
        if node is None:
            # Whoever comes by that name is another machine.
            for kept in (self._ruled, self._cleaning, self._programmed):
                kept.discard(name)
            self._frozen_at.pop(name, None)

    def _pod_changed(self, pod: SimPod, before: Phase | None) -> None:
        node = pod.node
        if not node:
            return
        is_there = self._table.is_there(pod)
        change = (is_there and _has_address(pod, pod.phase)) - _has_address(pod, before)
        self._addressed[node] += change
        if pod.owner in self._owners:
            if is_there:
                self._old_agents.setdefault(node, {})[pod.name] = pod
            else:
                self._old_agents.get(node, {}).pop(pod.name, None)
            self._settle(node)
        elif not change and node not in self._frozen_at:
            return
        self._dirty[node] = None

    def _settle(self, node: str) -> None:
        """Take note of when the old engine's rules on a node follow the cluster, and since when they no longer do."""
        if any(pod.phase is Phase.READY for pod in self._old_agents.get(node, {}).values()):
            self._ruled.add(node)
            self._frozen_at.pop(node, None)
        elif node in self._ruled:
            self._frozen_at.setdefault(node, self._table.now())

    def _noticed(self, change: Change) -> None:
        ref = change.ref
        family = (ref.api_version, ref.kind)
        if ref in self._parts:
            self._parts[ref] = change.after is not None
        elif family in _TARGETS and _says_something_else(change.before, change.after):
            self._policies += 1
        elif family in _SOURCES and _says_something_else(change.before, change.after):
            self._sources += 1

    # --- the truth ---

    def scene(self, at: float) -> Scene:
        """Return the whole cluster as it is now; ``changed`` are the nodes that are not as in the scene returned before."""
        self._take_in_agents()
        changed = set()
        nodes = self._states
        if self._dirty:
            dirty, self._dirty = self._dirty, {}
            nodes = dict(self._states)
            for name in dirty:
                state = self._state(name)
                if state == nodes.get(name):
                    continue
                changed.add(name)
                if state is None:
                    del nodes[name]
                else:
                    nodes[name] = state
            self._states = nodes
        left = sum(len(self._table.by_owner.get(owner, ())) for owner in self._owners)
        parts = {str(ref): there for ref, there in self._parts.items()}
        return Scene(at, nodes, frozenset(changed), self._policies, self._sources, parts, left)

    def _take_in_agents(self) -> None:
        on = self._writes()
        if on != self._was_on:
            self._was_on = on
            self._dirty.update(dict.fromkeys(self._nodes.all))
        pods = self._agents.pods
        if pods is not None and pods.touched:
            self._dirty.update((pods.nodes[number], None) for number in sorted(pods.touched))
            pods.touched.clear()

    def _state(self, name: str) -> NodeState | None:
        node = self._nodes.get(name)
        if node is None:
            return None
        old = self._old(name)
        late, frozen = 0, self._frozen_at.get(name)
        if frozen is not None:
            on = self._table.on.get(name, {}).values()
            late = sum(pod.born >= frozen and _has_address(pod, pod.phase) for pod in on)
        return NodeState(name, old, self._new(name), node.ready, not node.cordoned, self._addressed[name], late)

    def _old(self, name: str) -> Enforcement:
        phases = [pod.phase for pod in self._old_agents.get(name, {}).values()]
        if Phase.READY in phases:
            return Enforcement.CLEANING if name in self._cleaning else Enforcement.LIVE
        if name in self._cleaning:
            return Enforcement.CLEANING
        if name in self._ruled:
            return Enforcement.FROZEN
        return Enforcement.STARTING if any(phase in LIVE for phase in phases) else Enforcement.ABSENT

    def _new(self, name: str) -> Enforcement:
        pods = self._agents.pods
        number = None if pods is None else pods.number_of(name)
        kept = Enforcement.FROZEN if name in self._programmed else Enforcement.ABSENT
        if pods is None or number is None:
            return kept
        works, on = pods.state_of(number) in _WORKS, self._agents.polices(number)
        if on and works and self._was_on:
            self._programmed.add(name)
            return Enforcement.LIVE
        if on:
            return kept if name in self._programmed else Enforcement.STARTING
        if works and name in self._programmed and not self._endpoints():
            self._programmed.discard(name)
            return Enforcement.ABSENT
        return kept


def _has_address(pod: SimPod, phase: Phase | None) -> bool:
    """Say whether a pod had an address of its own, not its node's, when it was in *phase*."""
    return phase in ADDRESSED and not pod.like.spec.host_network


def _says_something_else(before: Json | None, after: Json | None) -> bool:
    if before is None or after is None:
        return True
    was, now = before["metadata"], after["metadata"]
    return (
        before.get("spec") != after.get("spec")
        or was.get("labels") != now.get("labels")
        or bool(was.get("deletionTimestamp")) != bool(now.get("deletionTimestamp"))
    )
