"""Whether the controller has resolved every policy for every pod it selects: asked before agents act on what it wrote."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

import msgspec

from eksnetpol.execution.gathering import named
from eksnetpol.execution.seeing import Observation, holds, pending
from eksnetpol.interfaces.acting import Hands
from eksnetpol.model.cluster_rules import read_cluster_policy
from eksnetpol.model.kinds import (
    CLUSTER_POLICY,
    CLUSTER_POLICY_ENDPOINT,
    NAMESPACE,
    NETWORK_POLICY,
    POD,
    POLICY_ENDPOINT,
    Json,
)
from eksnetpol.model.kubernetes import Namespace, Pod
from eksnetpol.model.policies import ClusterNetworkPolicy, NetworkPolicy, PolicyEndpoint
from eksnetpol.policy.universe import TERMINAL, Classes, Universe, build

T = TypeVar("T")
Pods = set[tuple[str, str]]
"""Pods by namespace and name."""


def covered(hands: Hands, *, cluster: bool = False) -> Observation:
    """Return whether there are PolicyEndpoints of every NetworkPolicy, and these name all running pods that it selects.

    With *cluster* the same is asked of ClusterNetworkPolicies and ClusterPolicyEndpoints. Pods that are ending, or have no
    address yet, are left to the controller: it will come to them.
    """
    pods = [pod for pod in _read(hands.objects(POD), Pod) if _counts(pod)]
    spaces = _read(hands.objects(NAMESPACE), Namespace) if cluster else ()
    universe = build(pods, spaces)
    wanted = {
        f"{policy.namespace}/{policy.name}": _in(universe, universe.select_in(policy.namespace, policy.spec.pod_selector))
        for policy in _read(hands.objects(NETWORK_POLICY), NetworkPolicy)
        if policy.metadata.deletion_timestamp is None
    }
    resolved = _resolved(_read(hands.objects(POLICY_ENDPOINT), PolicyEndpoint))
    if cluster:
        above = _read(hands.objects(CLUSTER_POLICY), ClusterNetworkPolicy)
        wanted |= {
            f"ClusterNetworkPolicy {policy.metadata.name}": _in(universe, _subjects(universe, policy))
            for policy in above
            if policy.metadata.deletion_timestamp is None
        }
        made = _resolved(_read(hands.objects(CLUSTER_POLICY_ENDPOINT), PolicyEndpoint))
        resolved |= {f"ClusterNetworkPolicy {name.removeprefix('/')}": found for name, found in made.items()}
    lags = list(_lags(wanted, resolved))
    if lags:
        return pending(f"the controller has not resolved {len(lags):,} of {len(wanted):,} policies: {named(lags)}")
    return holds(f"the controller has resolved {len(wanted):,} policies for {sum(map(len, wanted.values())):,} pods")


def _lags(wanted: Mapping[str, Pods], resolved: Mapping[str, Pods]) -> Iterator[str]:
    for name, pods in wanted.items():
        missing = pods - resolved.get(name, set())
        if name not in resolved:
            kind = "ClusterPolicyEndpoint" if " " in name else "PolicyEndpoint"
            yield f"{name} (no {kind} yet)"
        elif missing:
            # Whose namespace is the policy's own is known by the pod's name alone.
            spaced = len({space for space, _ in pods}) > 1
            which = (f"{space}/{pod}" if spaced else pod for space, pod in sorted(missing))
            yield f"{name} (not yet for {named(which)})"


def _in(universe: Universe, classes: Classes) -> Pods:
    return {(pod.namespace, pod.name) for one in universe.members(classes) for pod in one.pods}


def _subjects(universe: Universe, policy: ClusterNetworkPolicy) -> Classes:
    """Return the pods that a policy is about; none where the controller cannot read it either."""
    try:
        subject = read_cluster_policy(policy).subject
    except ValueError:
        return 0
    if subject.namespaces is not None:
        return universe.select_namespaces(subject.namespaces)
    if subject.pods is not None:
        return universe.select(subject.pods.pod_selector, universe.select_namespaces(subject.pods.namespace_selector))
    return 0


def _resolved(endpoints: Iterable[PolicyEndpoint]) -> dict[str, Pods]:
    by_policy: dict[str, Pods] = {}
    for endpoint in endpoints:
        of = endpoint.spec.policy_ref
        found = by_policy.setdefault(f"{of.namespace}/{of.name}", set())
        found.update((pod.namespace or of.namespace, pod.name) for pod in endpoint.spec.pod_selector_endpoints)
    return by_policy


def _counts(pod: Pod) -> bool:
    status = pod.status
    return (
        not pod.spec.host_network
        and status.phase not in TERMINAL
        and bool(status.pod_ip)
        and pod.metadata.deletion_timestamp is None
    )


def _read(found: Iterable[Json], kind: type[T]) -> tuple[T, ...]:
    # Labels of pods stay undecoded JSON in our types, so objects go through JSON once more.
    read: tuple[T, ...] = msgspec.json.decode(msgspec.json.encode(tuple(found)), type=tuple[kind, ...])  # type: ignore[valid-type]
    return read
