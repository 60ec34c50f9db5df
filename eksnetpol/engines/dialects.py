"""Whose policies can be read: dialects by the name of their semantics, which engine speaks which, and the kinds of each.

A reader is imported when its dialect is asked for. Weave Net and kube-router have no kinds of their own and enforce
NetworkPolicies alone; Canal is Calico's policies on another network.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from typing import Any

from eksnetpol.engines.engine import Life, Presence
from eksnetpol.engines.kubernetes_policies import stack_tier
from eksnetpol.engines.upstream import read as read_upstream
from eksnetpol.model.admin_policies import GROUP as UPSTREAM_GROUP
from eksnetpol.model.admin_policies import KINDS as UPSTREAM_KINDS
from eksnetpol.policy.stacks.rules import Stack
from eksnetpol.policy.world import World

KUBERNETES, UPSTREAM = "kubernetes", "upstream"
"""Dialects without a reader of their own: NetworkPolicies alone, and with them those of ``policy.networking.k8s.io``."""

READERS: Mapping[str, str] = {
    "calico": "eksnetpol.engines.calico.read",
    "cilium": "eksnetpol.engines.cilium.read",
    "antrea": "eksnetpol.engines.antrea.read",
}
"""The module of each dialect's reader: ``read(objects, kubernetes, world)``, with ``settings`` where they are known."""

SPOKEN: Mapping[str, str] = {
    "antrea": "antrea",
    "calico": "calico",
    "canal": "calico",
    "cilium": "cilium",
    "kube-router": KUBERNETES,
    "weave": KUBERNETES,
}
"""The dialect of each engine. What the others mean by a policy is not known well enough to say anything of it."""

_CALICO = (
    "GlobalNetworkPolicy",
    "GlobalNetworkSet",
    "HostEndpoint",
    "NetworkPolicy",
    "NetworkSet",
    "Profile",
    "StagedGlobalNetworkPolicy",
    "StagedKubernetesNetworkPolicy",
    "StagedNetworkPolicy",
    "Tier",
)

KINDS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    KUBERNETES: {},
    UPSTREAM: {UPSTREAM_GROUP: UPSTREAM_KINDS},
    "calico": {"projectcalico.org": _CALICO, "crd.projectcalico.org": _CALICO},
    "cilium": {"cilium.io": ("CiliumCIDRGroup", "CiliumClusterwideNetworkPolicy", "CiliumNetworkPolicy")},
    "antrea": {"crd.antrea.io": ("ClusterGroup", "ClusterNetworkPolicy", "Group", "NetworkPolicy", "Tier")},
}
"""By dialect and API group: the kinds that say what may flow, policies and what they refer to."""


def stack_of(dialect: str, world: World, settings: Mapping[str, Any] | None = None) -> Stack:
    """Return what is in force in *world* where an engine of *dialect* enforces it; the second time it is the same stack.

    Objects of other engines' kinds are left to these. *settings* are the engine's own, where they were read. Raises `KeyError`
    for a dialect that nobody reads.
    """
    key = f"stack of {dialect} with {sorted(settings.items())}" if settings else f"stack of {dialect}"
    known = world.memo.get(key)
    if known is None:
        known = world.memo[key] = _read(dialect, world, settings)
    stack: Stack = known
    return stack


def dialects_of(present: Iterable[Presence]) -> tuple[str, ...]:
    """Return the dialects that are enforced where these engines are: of each that runs and enforces, in their order, once.

    More than one is more than anybody can answer for; none at all leaves the cluster to the VPC CNI, or to nobody.
    """
    running = (p for p in present if p.life is Life.LIVE and p.enforces)
    return tuple(dict.fromkeys(SPOKEN[p.name] for p in running if p.name in SPOKEN))


def _read(dialect: str, world: World, settings: Mapping[str, Any] | None) -> Stack:
    if dialect == KUBERNETES:
        return Stack(KUBERNETES, (stack_tier(world.network_policies, world),))
    if dialect == UPSTREAM:
        return read_upstream(world.admin_policies, world.network_policies, world)
    module = importlib.import_module(READERS[dialect])
    groups = importlib.import_module(READERS[dialect].rpartition(".")[0]).ENGINE.groups
    objects = [policy.body for policy in world.foreign_policies if _is_of(policy, groups)]
    more = {"settings": settings} if settings else {}
    stack: Stack = module.read(objects, world.network_policies, world, **more)
    return stack


def _is_of(policy: Any, groups: tuple[str, ...]) -> bool:
    group = policy.api_version.partition("/")[0]
    return any(group == own or group.endswith(f".{own}") for own in groups)
