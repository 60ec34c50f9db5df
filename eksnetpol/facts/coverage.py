"""Pods that policies select on nodes where the ``aws-node`` DaemonSet does not run, folded by what owns them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import msgspec

from eksnetpol.facts.declare import fact
from eksnetpol.facts.platform import NodeKinds
from eksnetpol.model.findings import Subject
from eksnetpol.model.kubernetes import OwnerReference, Pod
from eksnetpol.model.policies import ClusterNetworkPolicy
from eksnetpol.model.selectors import LabelSelector
from eksnetpol.model.snapshot import Unread, Why
from eksnetpol.policy.isolation import Isolation
from eksnetpol.policy.owners import owner_of
from eksnetpol.policy.universe import Classes, PodClass, Universe, set_of


@dataclass(frozen=True, slots=True)
class Group:
    """Pods of one workload. ``policies`` are names of policies that select them, ``nodes`` where they run."""

    workload: Subject
    pods: int
    policies: tuple[str, ...]
    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Coverage:
    """Selected pods out of reach of ``aws-node``, by the kind of node they run on: fargate, windows, hybrid or auto."""

    by_kind: Mapping[str, tuple[Group, ...]]

    def on(self, kind: str) -> tuple[Group, ...]:
        """Return the workloads on nodes of *kind* that a policy selects."""
        return self.by_kind.get(kind, ())


def subjects_of(policy: ClusterNetworkPolicy, universe: Universe) -> Classes:
    """Return the classes a ClusterNetworkPolicy is about: whole namespaces, or pods in namespaces."""
    subject = policy.spec.subject
    if "namespaces" in subject:
        return universe.select_namespaces(_selector(subject["namespaces"]))
    pods = subject.get("pods") or {}
    if not pods:
        return 0
    within = universe.select_namespaces(_selector(pods.get("namespaceSelector")))
    return universe.select(_selector(pods.get("podSelector")), within)


def _selector(given: object) -> LabelSelector:
    return msgspec.convert(given or {}, LabelSelector)


@fact
def cluster_subjects(
    universe: Universe, cluster_policies: tuple[ClusterNetworkPolicy, ...] | Unread
) -> tuple[tuple[ClusterNetworkPolicy, Classes], ...] | Unread:
    """Each ClusterNetworkPolicy with the classes it selects. Where files hold none, there are none."""
    if isinstance(cluster_policies, Unread):
        return () if cluster_policies.why in {Why.NOT_IN_FILES, Why.NOT_ASKED} else cluster_policies
    return tuple((policy, subjects_of(policy, universe)) for policy in cluster_policies)


@fact
def coverage(
    isolation: Isolation,
    cluster_subjects: tuple[tuple[ClusterNetworkPolicy, Classes], ...],
    node_kinds: NodeKinds,
) -> Coverage:
    """Whom policies select in vain, or by other settings than the DaemonSet's."""
    universe, unserved = isolation.universe, node_kinds.unserved
    selections: list[tuple[str, Classes]] = [(s.policy.name, s.selected) for s in isolation.subjects]
    selections += [(policy.metadata.name, classes) for policy, classes in cluster_subjects]
    selected = 0
    for _, classes in selections:
        selected |= classes
    selected &= ~universe.on_host_network & ~universe.terminal
    away = _away(universe.members(selected), unserved)
    away_set = set_of(away)
    named: dict[int, list[str]] = {}
    for name, classes in selections:
        for member in universe.members(classes & away_set):
            named.setdefault(member.index, []).append(name)
    groups: dict[str, dict[Subject, list[tuple[Pod, int]]]] = {}
    for index, pods in away.items():
        for workload, members in by_owner(pods).items():
            for pod in members:
                kind = groups.setdefault(unserved[pod.spec.node_name], {})
                kind.setdefault(workload, []).append((pod, index))
    return Coverage({kind: tuple(_fold(members, named)) for kind, members in groups.items()})


def by_owner(pods: Iterable[Pod]) -> dict[Subject, list[Pod]]:
    """Sort *pods*, which are alike in namespace and labels, by workload; the owner of each is looked up once."""
    alike: dict[tuple[OwnerReference, ...] | str, list[Pod]] = {}
    for pod in pods:
        alike.setdefault(pod.metadata.owner_references or pod.name, []).append(pod)
    found: dict[Subject, list[Pod]] = {}
    for members in alike.values():
        found.setdefault(owner_of(members[0]), []).extend(members)
    return found


def _away(classes: Iterable[PodClass], unserved: Mapping[str, str]) -> dict[int, list[Pod]]:
    if not unserved:
        return {}
    found = {c.index: [pod for pod in c.pods if pod.spec.node_name in unserved] for c in classes}
    return {index: pods for index, pods in found.items() if pods}


def _fold(members: Mapping[Subject, list[tuple[Pod, int]]], named: Mapping[int, list[str]]) -> Iterator[Group]:
    for workload, pods in sorted(members.items()):
        policies = dict.fromkeys(name for index in dict.fromkeys(i for _, i in pods) for name in named[index])
        nodes = dict.fromkeys(pod.spec.node_name for pod, _ in pods)
        yield Group(workload, len(pods), tuple(policies), tuple(nodes))
