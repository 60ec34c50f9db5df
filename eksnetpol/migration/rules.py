"""What is in force at one moment, as objects; and which namespaces' share of it is no longer as it was."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from eksnetpol.model.admin_policies import AdminPolicy
from eksnetpol.model.foreign import ForeignPolicy
from eksnetpol.model.policies import ClusterNetworkPolicy, NetworkPolicy
from eksnetpol.policy.world import OF_PODS, World

EVERYWHERE = ""
"""Stands among namespaces for what holds for the whole cluster."""


@dataclass(frozen=True)
class Rules:
    """Policies of all kinds, and what those of the old engine refer to."""

    policies: tuple[NetworkPolicy, ...] = ()
    foreign: tuple[ForeignPolicy, ...] = ()
    application: tuple[NetworkPolicy, ...] = ()
    cluster: tuple[ClusterNetworkPolicy, ...] = ()
    admin: tuple[AdminPolicy, ...] = ()
    _of: dict[str, Any] = field(init=False, default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, world: World) -> Rules:
        """Return those of *world*."""
        return cls(
            policies=world.network_policies,
            foreign=world.foreign_policies,
            application=world.application_policies,
            cluster=world.cluster_policies,
            admin=world.admin_policies,
        )

    def after(self, brought: Iterable[NetworkPolicy | ClusterNetworkPolicy]) -> Rules:
        """Return these with *brought* applied, in the place of those of the same name."""
        policies = {(p.namespace, p.name): p for p in self.policies}
        cluster = {p.metadata.name: p for p in self.cluster}
        for one in brought:
            if isinstance(one, NetworkPolicy):
                policies[one.namespace, one.name] = one
            else:
                cluster[one.metadata.name] = one
        return replace(self, policies=tuple(policies.values()), cluster=tuple(cluster.values()))

    def in_world(self, world: World, namespaces: Collection[str] | None = None) -> World:
        """Return *world* with these in force; of policies that hold in one namespace only those of *namespaces*.

        What such a policy means does not depend on the policies of other namespaces, so it may be asked about by itself.
        """
        if namespaces is None:
            return self._world(world, self.policies, self.foreign, self.application)
        kept = (EVERYWHERE, *namespaces)
        return self._world(
            world,
            [p for name in namespaces for p in self._policies.get(name, ())],
            [p for name in kept for p in self._foreign.get(name, ())],
            [p for name in namespaces for p in self._application.get(name, ())],
        )

    def _world(
        self,
        world: World,
        policies: Iterable[NetworkPolicy],
        foreign: Iterable[ForeignPolicy],
        application: Iterable[NetworkPolicy],
    ) -> World:
        made = replace(
            world,
            network_policies=tuple(policies),
            foreign_policies=tuple(foreign),
            application_policies=tuple(application),
            cluster_policies=self.cluster,
            admin_policies=self.admin,
        )
        # Worked out of pods, nodes and Services alone, which are the same here.
        for name in ("node_addresses", "namespace_labels", "account_labels", "service_by_name"):
            made.__dict__[name] = getattr(world, name)
        made.memo[OF_PODS] = world.memo.setdefault(OF_PODS, {})
        return made

    @cached_property
    def _policies(self) -> Mapping[str, list[NetworkPolicy]]:
        return _by_namespace(self.policies)

    @cached_property
    def _application(self) -> Mapping[str, list[NetworkPolicy]]:
        return _by_namespace(self.application)

    @cached_property
    def _foreign(self) -> Mapping[str, list[ForeignPolicy]]:
        found: dict[str, list[ForeignPolicy]] = {}
        for policy in self.foreign:
            found.setdefault(holds_in(policy), []).append(policy)
        return found

    def moved(self, former: Rules, *, old: bool) -> frozenset[str]:
        """Return the namespaces whose share is not as in *former*, of what the old engine reads, or else the new one.

        `EVERYWHERE` is among them where something changed that holds for the whole cluster.
        """
        found = _moved(former._policies, self._policies)
        if old:
            found |= _moved(former._foreign, self._foreign)
            return found | ({EVERYWHERE} if not _same([*former.admin], [*self.admin]) else frozenset())
        found |= _moved(former._application, self._application)
        return found | ({EVERYWHERE} if not _same([*former.cluster], [*self.cluster]) else frozenset())


def holds_in(policy: ForeignPolicy) -> str:
    """Return the namespace that an object of another engine speaks of alone; `EVERYWHERE` for all that may matter elsewhere.

    Policies of a namespace hold for its own pods in every dialect; sets and groups of a namespace may be meant from elsewhere.
    """
    return policy.metadata.namespace if policy.kind.endswith("NetworkPolicy") else EVERYWHERE


def _by_namespace(policies: Iterable[NetworkPolicy]) -> Mapping[str, list[NetworkPolicy]]:
    found: dict[str, list[NetworkPolicy]] = {}
    for policy in policies:
        found.setdefault(policy.namespace, []).append(policy)
    return found


def _moved(former: Mapping[str, list[Any]], now: Mapping[str, list[Any]]) -> frozenset[str]:
    names = former.keys() | now.keys()
    return frozenset(name for name in names if not _same(former.get(name, []), now.get(name, [])))


def _same(one: list[Any], other: list[Any]) -> bool:
    """Say whether two lists say the same; most of their members are the very same objects.

    Finalizers, owners of fields and whatever else is written beside a policy say nothing.
    """
    return len(one) == len(other) and all(a is b or _said(a) == _said(b) for a, b in zip(one, other, strict=True))


def _said(policy: Any) -> tuple[Any, ...]:
    if isinstance(policy, ForeignPolicy):
        said = {key: value for key, value in policy.body.items() if key != "metadata"}
        return policy.kind, policy.metadata.name, policy.metadata.labels, said
    return policy.metadata.name, policy.metadata.labels, policy.spec
