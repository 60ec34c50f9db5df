"""Pods as classes, and whom the policies isolate."""

from __future__ import annotations

from eksnetpol.facts.declare import fact
from eksnetpol.model.kubernetes import Namespace, Pod
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.model.snapshot import Unread, Why
from eksnetpol.policy.declared import DeclaredPorts, index_ports
from eksnetpol.policy.identities import Identities, identify
from eksnetpol.policy.isolation import Isolation, isolate
from eksnetpol.policy.reach import Blocks, gather
from eksnetpol.policy.rules import Direction, Rules, lay_out
from eksnetpol.policy.universe import Universe, build


@fact
def universe(pods: tuple[Pod, ...], namespaces: tuple[Namespace, ...] | Unread) -> Universe:
    """All pods as classes that policies cannot tell apart. Without namespaces, only their names can be selected."""
    return build(pods, () if isinstance(namespaces, Unread) else namespaces)


@fact
def identities(universe: Universe) -> Identities:
    """Which pods the agent cannot tell apart by name."""
    return identify(universe)


@fact
def declared_ports(universe: Universe) -> DeclaredPorts:
    """Which classes declare which ports."""
    return index_ports(universe)


@fact
def rules(
    network_policies: tuple[NetworkPolicy, ...], application_policies: tuple[NetworkPolicy, ...] | Unread
) -> Rules | Unread:
    """All rules of NetworkPolicies and ApplicationNetworkPolicies, in the order of `isolation`'s subjects."""
    more = _or_none(application_policies)
    return more if isinstance(more, Unread) else lay_out(network_policies, more)


@fact
def isolation(
    universe: Universe,
    network_policies: tuple[NetworkPolicy, ...],
    application_policies: tuple[NetworkPolicy, ...] | Unread,
) -> Isolation | Unread:
    """Whom NetworkPolicies and ApplicationNetworkPolicies isolate, or would the moment enforcement is on."""
    more = _or_none(application_policies)
    return more if isinstance(more, Unread) else isolate(universe, network_policies, more)


@fact
def egress_blocks(rules: Rules, isolation: Isolation) -> Blocks:
    """The blocks that egress rules lead to, equal ones together."""
    return gather(rules, isolation)


@fact
def ingress_blocks(rules: Rules, isolation: Isolation, declared_ports: DeclaredPorts) -> Blocks:
    """The blocks that ingress rules let in, equal ones together."""
    return gather(rules, isolation, Direction.INGRESS, declared_ports)


@fact
def given_application_policies(application_policies: tuple[NetworkPolicy, ...] | Unread) -> tuple[NetworkPolicy, ...] | Unread:
    """ApplicationNetworkPolicies; none where files hold none."""
    return _or_none(application_policies)


def _or_none(policies: tuple[NetworkPolicy, ...] | Unread) -> tuple[NetworkPolicy, ...] | Unread:
    # Files that hold none have none; a refused list may hide the very policy that isolates a pod.
    if isinstance(policies, Unread) and policies.why in {Why.NOT_IN_FILES, Why.NOT_ASKED}:
        return ()
    return policies
