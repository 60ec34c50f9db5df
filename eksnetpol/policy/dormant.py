"""What policies do the second enforcement goes on: whom they isolate, whom they cannot reach, who is left without any.

A policy that nobody enforces is dormant; the agents apply all of them at once. Pods on the host network are never policed by the
VPC CNI, nor are pods on nodes its DaemonSet does not serve (Fargate, Windows, hybrid nodes). In strict mode a pod that no policy
selects is closed in both directions, its own node included; a policy for one direction leaves the other one open, though AWS asks
for policies in both (docs.aws.amazon.com/eks, "Restrict Pod network traffic with Kubernetes network policies").
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from eksnetpol.model.cluster_rules import Action
from eksnetpol.model.findings import Subject
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.policy.answers import Engine, Workload
from eksnetpol.policy.profile import Semantics
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.universe import Classes, indexes_of, set_of

HOST_NETWORK = "hostNetwork"


@dataclass(frozen=True, slots=True)
class Isolating:
    """A policy, and the running pods it selects. ``closes`` are the directions in which it isolates them and allows nothing."""

    subject: Subject
    selected: Classes
    directions: frozenset[Direction]
    closes: frozenset[Direction]


@dataclass(frozen=True, slots=True)
class Row:
    """A workload in one direction: how many of its pods are isolated, and by which policies.

    ``denied`` is how many of them nothing at all is allowed. Without ``policies`` the pods get the rules of others, whose names
    the agent cannot tell from theirs.
    """

    workload: Workload
    direction: Direction
    pods: int
    isolated: int
    denied: int
    policies: tuple[Subject, ...]


@dataclass(frozen=True, slots=True)
class Beyond:
    """Pods of a workload that policies select in vain. ``why`` is ``hostNetwork`` or a kind of node, e.g. ``fargate``."""

    workload: Workload
    why: str
    pods: int
    policies: tuple[Subject, ...]


@dataclass(frozen=True)
class Dormancy:
    """Whom the policies of an engine's world isolate. ``counted`` are the pods that can be policed at all, as classes.

    ``isolated`` and ``denied`` hold for each direction what policies do, whatever the mode; ``uncovered`` are pods that no policy
    holds for, which strict mode closes, and ``one_sided`` those with policies for one direction only.
    """

    engine: Engine
    counted: Classes
    policies: tuple[Isolating, ...]
    isolated: Mapping[Direction, Classes]
    denied: Mapping[Direction, Classes]
    uncovered: Classes
    one_sided: Classes
    beyond: tuple[Beyond, ...]
    cluster_wide: tuple[tuple[Subject, int], ...]
    """Policies of the whole cluster that take force as well, with the number of rules that deny."""

    @property
    def either(self) -> Classes:
        """Isolated in at least one direction."""
        return self.isolated[Direction.INGRESS] | self.isolated[Direction.EGRESS]

    def open(self, direction: Direction) -> Classes:
        """Return the pods that stay open in one direction."""
        return self.counted & ~self.isolated[direction]

    def pods(self, classes: Classes) -> int:
        """Return how many pods a set stands for."""
        return self.engine.atlas.universe.count_pods(classes)

    def rows(self, direction: Direction) -> Iterator[Row]:
        """Yield each workload with isolated pods: those that nothing is allowed first, then by name."""
        atlas = self.engine.atlas
        by_class = self._policies_by_class(direction)
        isolated, denied = self.isolated[direction], self.denied[direction]
        found: list[Row] = []
        for workload, classes in workloads_of(self.engine, isolated).items():
            policies = dict.fromkeys(at for i in indexes_of(classes) for at in by_class.get(i, ()))
            # Policies that close come first: they are what an operator has to know of.
            ordered = sorted(policies, key=lambda at: (direction not in self.policies[at].closes, at))
            found.append(
                Row(
                    workload,
                    direction,
                    self.pods(atlas.workloads[workload] & self.counted),
                    self.pods(classes),
                    self.pods(classes & denied),
                    tuple(self.policies[at].subject for at in ordered),
                )
            )
        yield from sorted(found, key=lambda r: (not r.denied, r.workload))

    def closing(self) -> Iterator[tuple[Isolating, Direction, Classes]]:
        """Yield the policies that isolate without allowing anything, with whom: the widest first."""
        found = [
            (policy, direction, policy.selected & self.isolated[direction])
            for policy in self.policies
            for direction in Direction
            if direction in policy.closes and policy.selected & self.isolated[direction]
        ]
        yield from sorted(found, key=lambda f: (-self.pods(f[2]), f[0].subject, f[1]))

    def _policies_by_class(self, direction: Direction) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        for at, policy in enumerate(self.policies):
            if direction in policy.directions:
                for index in indexes_of(policy.selected & self.isolated[direction]):
                    found.setdefault(index, []).append(at)
        return found


def workloads_of(engine: Engine, classes: Classes) -> dict[Workload, Classes]:
    """Return the workloads of *classes*, each with those of them that are its own, in the order of the classes."""
    atlas = engine.atlas
    found: dict[Workload, list[int]] = {}
    for index in indexes_of(classes):
        found.setdefault(atlas.workload_of[index], []).append(index)
    return {workload: set_of(indexes) for workload, indexes in found.items()}


def dormancy(engine: Engine, unserved: Mapping[str, str], *, left_out: Classes = 0) -> Dormancy:
    """Return what the policies of *engine*'s world do once they are enforced.

    *engine* must think in standard mode, in which what is isolated is isolated by policies. *unserved* is the kind of each node
    that the agent does not run on, by the node's name; *left_out* are classes that are not to be spoken of.
    """
    universe = engine.atlas.universe
    agent = engine.profile.semantics is Semantics.VPC_CNI
    policies = tuple(_policies(engine))
    counted = universe.everything & ~universe.on_host_network & ~left_out
    selected = 0
    for policy in policies:
        selected |= policy.selected
    away = _away(engine, counted, unserved) if agent and unserved else {}
    beyond = tuple(_beyond(engine, policies, selected, away))
    # A class is out of reach when all its pods are; of one that is partly there, the rest is what counts.
    counted &= ~set_of(i for i, pods in away.items() if sum(pods.values()) == len(universe.classes[i].pods))
    isolated = {d: engine.isolated(d) & counted for d in Direction}
    allowing = dict.fromkeys(Direction, 0)
    for policy in policies:
        for direction in policy.directions - policy.closes:
            allowing[direction] |= policy.selected
    # Pods that share the names of selected ones get their rules, whichever those are.
    shared = {d: isolated[d] & ~selected for d in Direction}
    denied = {d: isolated[d] & ~allowing[d] & ~shared[d] for d in Direction}
    inward, outward = isolated[Direction.INGRESS], isolated[Direction.EGRESS]
    return Dormancy(
        engine,
        counted,
        policies,
        isolated,
        denied,
        uncovered=counted & ~(inward | outward),
        one_sided=inward ^ outward,
        beyond=beyond,
        cluster_wide=tuple(_cluster_wide(engine)),
    )


def _policies(engine: Engine) -> Iterator[Isolating]:
    world, universe = engine.world, engine.atlas.universe
    agent = engine.profile.semantics is Semantics.VPC_CNI
    kinds = (("NetworkPolicy", world.network_policies), ("ApplicationNetworkPolicy", world.application_policies))
    for kind, some in kinds:
        for policy in some:
            directions = frozenset(_directions(policy, agent=agent))
            rules = {Direction.INGRESS: policy.spec.ingress, Direction.EGRESS: policy.spec.egress}
            yield Isolating(
                Subject(kind, policy.name, policy.namespace),
                universe.select_in(policy.namespace, policy.spec.pod_selector),
                directions,
                frozenset(d for d in directions if not rules[d]),
            )


def _directions(policy: NetworkPolicy, *, agent: bool) -> Iterator[Direction]:
    # The agent polices a direction as soon as there are rules for it, whatever policyTypes says.
    if policy.isolates_ingress or (agent and policy.spec.ingress):
        yield Direction.INGRESS
    if policy.isolates_egress or (agent and policy.spec.egress):
        yield Direction.EGRESS


def _away(engine: Engine, counted: Classes, unserved: Mapping[str, str]) -> dict[int, dict[str, int]]:
    """Return how many pods of each class are on nodes of each kind that the agent does not serve."""
    found: dict[int, dict[str, int]] = {}
    for c in engine.atlas.universe.members(counted):
        for pod in c.pods:
            kind = unserved.get(pod.spec.node_name)
            if kind:
                kinds = found.setdefault(c.index, {})
                kinds[kind] = kinds.get(kind, 0) + 1
    return found


def _beyond(
    engine: Engine, policies: Iterable[Isolating], selected: Classes, away: Mapping[int, Mapping[str, int]]
) -> Iterator[Beyond]:
    universe = engine.atlas.universe
    out = selected & (universe.on_host_network | set_of(away))
    if not out:
        return
    by_class: dict[int, list[Subject]] = {}
    for policy in policies:
        for index in indexes_of(policy.selected & out):
            by_class.setdefault(index, []).append(policy.subject)
    for workload, classes in sorted(workloads_of(engine, out).items()):
        counts: dict[str, int] = {}
        subjects: dict[Subject, None] = {}
        for c in universe.members(classes):
            for why, pods in ({HOST_NETWORK: len(c.pods)} if c.host_network else away[c.index]).items():
                counts[why] = counts.get(why, 0) + pods
            subjects |= dict.fromkeys(by_class[c.index])
        for why, pods in counts.items():
            yield Beyond(workload, why, pods, tuple(subjects))


def _cluster_wide(engine: Engine) -> Iterator[tuple[Subject, int]]:
    agent = engine.profile.semantics is Semantics.VPC_CNI
    policies: tuple[Any, ...] = (*engine.world.cluster_policies, *(() if agent else engine.world.admin_policies))
    for policy in policies:
        rules: tuple[Any, ...] = (*policy.spec.ingress, *policy.spec.egress)
        actions = (rule.get("action", "") if isinstance(rule, dict) else rule.action for rule in rules)
        kind = getattr(policy, "title", "") or "ClusterNetworkPolicy"
        yield Subject(kind, policy.metadata.name), sum(action == Action.DENY for action in actions)
