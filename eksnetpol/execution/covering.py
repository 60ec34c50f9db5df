"""Whether the controller has resolved every policy for every pod it selects: asked before agents act on what it wrote."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import msgspec

from eksnetpol.execution.gathering import named
from eksnetpol.execution.seeing import Observation, holds, pending
from eksnetpol.interfaces.acting import Hands
from eksnetpol.model.kinds import NETWORK_POLICY, POD, POLICY_ENDPOINT, Json
from eksnetpol.model.kubernetes import Pod
from eksnetpol.model.policies import NetworkPolicy, PolicyEndpoint
from eksnetpol.policy.universe import TERMINAL, build

T = TypeVar("T")


def covered(hands: Hands) -> Observation:
    """Return whether there are PolicyEndpoints of every NetworkPolicy, and these name all running pods that it selects.

    Pods that are ending, or have no address yet, are left to the controller: it will come to them.
    """
    policies = _read(hands.objects(NETWORK_POLICY), NetworkPolicy)
    named_by, resolved = _resolved(_read(hands.objects(POLICY_ENDPOINT), PolicyEndpoint))
    pods = [pod for pod in _read(hands.objects(POD), Pod) if _counts(pod)]
    universe = build(pods, ())
    lags, selections = [], 0
    for policy in policies:
        if policy.metadata.deletion_timestamp is not None:
            continue
        key = (policy.namespace, policy.name)
        selected = universe.select_in(policy.namespace, policy.spec.pod_selector)
        wanted = {pod.name for one in universe.members(selected) for pod in one.pods}
        selections += len(wanted)
        missing = wanted - named_by.get(key, frozenset())
        if key not in resolved:
            lags.append(f"{policy.namespace}/{policy.name} (no PolicyEndpoint yet)")
        elif missing:
            lags.append(f"{policy.namespace}/{policy.name} (not yet for {named(sorted(missing))})")
    if lags:
        return pending(f"the controller has not resolved {len(lags):,} of {len(policies):,} policies: {named(lags)}")
    return holds(f"the controller has resolved {len(policies):,} policies for {selections:,} pods")


def _resolved(endpoints: Iterable[PolicyEndpoint]) -> tuple[dict[tuple[str, str], set[str]], set[tuple[str, str]]]:
    by_policy: dict[tuple[str, str], set[str]] = {}
    for endpoint in endpoints:
        of = endpoint.spec.policy_ref
        names = by_policy.setdefault((of.namespace, of.name), set())
        names.update(pod.name for pod in endpoint.spec.pod_selector_endpoints)
    return by_policy, set(by_policy)


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
