"""Which workloads' pods become isolated the moment enforcement is on: only what is not enforced today.

Made from facts that the checks have worked out already (`facts/policing.py`), in sets of classes; `policy.dormant` asks an engine
the same and is the oracle of the tests. The agent polices a direction as soon as a rule for it comes out, whatever
``policyTypes`` says (any rule counts here: rather too many than too few), never pods on the host network or on nodes that
``aws-node`` does not serve, and gives pods whose names it cannot tell apart the same rules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from eksnetpol.facts.declare import Lookup
from eksnetpol.facts.platform import NodeKinds
from eksnetpol.facts.vpc_cni import Switches
from eksnetpol.model.kubernetes import Pod
from eksnetpol.model.plan import Isolation
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.model.snapshot import Seen
from eksnetpol.planning.reading import known
from eksnetpol.policy.grants import APPLICATION_POLICY
from eksnetpol.policy.identities import Identities, Identity
from eksnetpol.policy.identity import prefix_of
from eksnetpol.policy.isolation import Isolation as Isolated
from eksnetpol.policy.isolation import Subjects
from eksnetpol.policy.owners import owner_of
from eksnetpol.policy.universe import PodClass, indexes_of

Direction = Literal["ingress", "egress"]
DIRECTIONS: tuple[Direction, ...] = ("ingress", "egress")

_POLICED_OTHERWISE = "auto"


def isolates(facts: Lookup) -> tuple[Isolation, ...] | None:
    """Return what becomes isolated, closed workloads first; none where all is enforced already, None where it is not known."""
    switches: Switches | None = known(facts, "switches")
    if switches is not None and switches.both_on:
        return ()
    found, names = facts.get("isolation"), facts.get("identities")
    if not (isinstance(found, Seen) and isinstance(names, Seen)):
        return None
    called = [str(s.subject) for s in found.value.subjects]
    ranked = _ranked(found.value, called)
    policed = found.value.policed
    places = [tuple(indexes_of(s.selected & policed)) for s in found.value.subjects]
    sides = {d: _side(found.value, names.value, ranked[d], places) for d in DIRECTIONS}
    pods, hits = _count(found.value, sides, _unserved(facts))
    rows = [_row(*key, hit, sides[key[1]], pods[key[0]], called) for key, hit in hits.items() if hit.isolated]
    return tuple(sorted(rows, key=lambda r: (not r.closed, r.workload, r.direction == "egress")))


def uncovered(facts: Lookup) -> int | None:
    """Return how many running pods no policy selects: those that strict mode closes. None where it is not known."""
    found, names = facts.get("isolation"), facts.get("identities")
    if not (isinstance(found, Seen) and isinstance(names, Seen)):
        return None
    isolation: Isolated = found.value
    held = 0
    for subject in isolation.subjects:
        if any(_polices(subject, d) for d in DIRECTIONS):
            held |= subject.selected
    held = names.value.spread(held & isolation.policed)
    unserved = _unserved(facts)
    left = isolation.universe.members(isolation.policed & ~held)
    return sum(p.spec.node_name not in unserved for c in left for p in c.pods)


@dataclass(frozen=True, slots=True)
class _Side:
    """One direction: who is isolated, who closed, and by which policies (their places), those that close first.

    All classes are here by their places: looked up one by one, that is cheaper than numbers of thousands of bits.
    ``by_name`` are classes that no policy selects, of which pods with one of the identities ``shared`` get the rules of others.
    """

    isolated: frozenset[int]
    closed: frozenset[int]
    by_name: frozenset[int]
    shared: frozenset[Identity]
    policies: Mapping[int, list[int]]


_Ranked = list[tuple[int, Subjects, bool]]
"""Policies of one direction with their places, and whether they have rules for it: those without come first, then by name."""


def _ranked(found: Isolated, called: Sequence[str]) -> dict[Direction, _Ranked]:
    places = sorted(range(len(called)), key=called.__getitem__)
    ranked: dict[Direction, _Ranked] = {}
    for direction in DIRECTIONS:
        policies = [(at, s, bool(_rules(s.policy, direction))) for at in places if _polices(s := found.subjects[at], direction)]
        ranked[direction] = sorted(policies, key=lambda p: p[2])
    return ranked


def _side(found: Isolated, names: Identities, ranked: _Ranked, places: Sequence[tuple[int, ...]]) -> _Side:
    selected = allowing = 0
    by_class: dict[int, list[int]] = {}
    policed = found.policed
    for at, subject, allows in ranked:
        classes = subject.selected & policed
        selected |= classes
        if allows:
            allowing |= classes
        for index in places[at]:
            if index in by_class:
                by_class[index].append(at)
            else:
                by_class[index] = [at]
    isolated = names.spread(selected) & policed
    # What gets the rules of others by its name alone gets whichever those are.
    closed = selected & ~allowing
    by_name = isolated & ~selected
    universe = found.universe
    shared = (p for c in universe.members(selected & names.entangled if by_name else 0) for p in c.pods)
    return _Side(
        isolated=frozenset(indexes_of(isolated)),
        closed=frozenset(indexes_of(closed)),
        by_name=frozenset(indexes_of(by_name)),
        shared=frozenset(map(_identity, shared)),
        policies=by_class,
    )


def _identity(pod: Pod) -> Identity:
    return pod.namespace, prefix_of(pod.name)


def _rules(policy: NetworkPolicy, direction: Direction) -> tuple[object, ...]:
    return policy.spec.ingress if direction == "ingress" else policy.spec.egress


def _polices(subject: Subjects, direction: Direction) -> bool:
    policy = subject.policy
    if subject.kind == APPLICATION_POLICY:
        # The API server fills no policyTypes in for this kind, and the controller copies what is there.
        listed = direction.capitalize() in policy.spec.policy_types
    else:
        listed = policy.isolates_ingress if direction == "ingress" else policy.isolates_egress
    return listed or bool(_rules(policy, direction))


def _unserved(facts: Lookup) -> frozenset[str]:
    kinds: NodeKinds | None = known(facts, "node_kinds")
    if kinds is None:
        return frozenset()
    return frozenset(name for name, kind in kinds.unserved.items() if kind != _POLICED_OTHERWISE)


@dataclass(slots=True)
class _Hit:
    """A workload in one direction: how many of its pods are isolated and how many closed, by the policies of which classes."""

    isolated: int = 0
    closed: int = 0
    classes: list[int] = field(default_factory=list)


def _count(
    found: Isolated, sides: Mapping[Direction, _Side], unserved: frozenset[str]
) -> tuple[dict[str, int], dict[tuple[str, Direction], _Hit]]:
    """Return how many pods of each workload can be policed, and what becomes of them."""
    universe = found.universe
    hit = frozenset[int]().union(*(side.isolated for side in sides.values()))
    # Only workloads with isolated pods are spoken of, and all pods of a workload are in its namespace.
    near = 0
    for namespace in {universe.classes[index].namespace for index in hit}:
        near |= universe.in_namespace.get(namespace, 0)
    counts: dict[str, int] = {}
    hits: dict[tuple[str, Direction], _Hit] = {}
    for pod_class in universe.members(near & found.policed):
        index = pod_class.index
        for workload, pods in _by_workload(pod_class, unserved).items():
            counts[workload] = counts.get(workload, 0) + len(pods)
            for direction, side in sides.items():
                if index not in side.isolated:
                    continue
                count = len(pods) if index not in side.by_name else sum(_identity(p) in side.shared for p in pods)
                key = (workload, direction)
                one = hits.get(key)
                if one is None:
                    one = hits[key] = _Hit()
                one.isolated += count
                one.closed += count if index in side.closed else 0
                one.classes.append(index)
    return counts, hits


def _by_workload(pod_class: PodClass, unserved: frozenset[str]) -> Mapping[str, Sequence[Pod]]:
    pods: Sequence[Pod] = pod_class.pods
    if unserved:
        pods = [p for p in pods if p.spec.node_name not in unserved]
    # With one owner and the labels that all of a class share, kind and name of the owner decide.
    keys = [(o[0].kind, o[0].name) if len(o) == 1 else None for o in [p.metadata.owner_references for p in pods]]
    if len(set(keys)) == 1 and keys[0] is not None:
        return {_called(pods[0]): pods}
    found: dict[str, list[Pod]] = {}
    for pod in pods:
        found.setdefault(_called(pod), []).append(pod)
    return found


def _called(pod: Pod) -> str:
    owner = owner_of(pod)
    return f"{owner.namespace}/{owner.kind}/{owner.name}"


def _row(workload: str, direction: Direction, hit: _Hit, side: _Side, pods: int, names: Sequence[str]) -> Isolation:
    policies = dict.fromkeys(at for index in hit.classes for at in side.policies.get(index, ()))
    return Isolation(workload, direction, pods, hit.isolated, hit.closed, tuple(names[at] for at in policies))
