"""Pods as classes, and whom the policies isolate."""

from __future__ import annotations

from eksnetpol.facts.declare import fact
from eksnetpol.model.kubernetes import Namespace, Pod
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.model.snapshot import Unread, Why
from eksnetpol.policy.isolation import Isolation, isolate
from eksnetpol.policy.universe import Universe, build


@fact
def universe(pods: tuple[Pod, ...], namespaces: tuple[Namespace, ...] | Unread) -> Universe:
    """All pods as classes that policies cannot tell apart. Without namespaces, only their names can be selected."""
    return build(pods, () if isinstance(namespaces, Unread) else namespaces)


@fact
def isolation(
    universe: Universe,
    network_policies: tuple[NetworkPolicy, ...],
    application_policies: tuple[NetworkPolicy, ...] | Unread,
) -> Isolation | Unread:
    """Whom NetworkPolicies and ApplicationNetworkPolicies isolate, or would the moment enforcement is on."""
    if isinstance(application_policies, Unread):
        # Files that hold none have none; a refused list may hide the very policy that isolates a pod.
        if application_policies.why not in {Why.NOT_IN_FILES, Why.NOT_ASKED}:
            return application_policies
        application_policies = ()
    more = application_policies
    return isolate(universe, (*network_policies, *more))
