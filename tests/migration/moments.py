"""Moments of migrations that are made up by hand: a small shop under Calico, its nodes and what runs on them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from eksnetpol.migration.exposure import Exposure
from eksnetpol.migration.rules import Rules
from eksnetpol.migration.waived import TakenOn, Waived, allowing
from eksnetpol.migration.watching import Watch
from eksnetpol.model.actions import Apply, Delete, Look, ObjectId
from eksnetpol.model.conditions import Absent, Holds, Soaked
from eksnetpol.model.enforcement import Enforcement, NodeState, Scene
from eksnetpol.model.foreign import ForeignPolicy, foreign_policy
from eksnetpol.model.kinds import ObjectRef
from eksnetpol.model.kubernetes import OwnerReference
from eksnetpol.model.plan import Plan, Step, Undo, Verb
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.policy.answers import Workload
from eksnetpol.policy.profile import Profile
from eksnetpol.policy.world import World
from tests.migration.clusters import world

Json = dict[str, Any]
ABSENT, STARTING, LIVE, FROZEN, CLEANING = Enforcement
NODES = ("n1", "n2", "n3")
PROFILE = Profile(family="ipv4")
DAEMONSET, CONTROLLERS = "daemonset/calico-system/calico-node", "deployment/calico-system/calico-kube-controllers"


def policy(name: str, selector: str, allowed: str, dialect: str = "calico") -> ForeignPolicy:
    """Return a policy of Calico or Cilium in namespace ``shop``: pods of *selector* take TCP 80 from pods of *allowed* alone."""
    meta = {"name": name, "namespace": "shop"}
    if dialect == "cilium":
        port = [{"ports": [{"port": "80", "protocol": "TCP"}]}]
        rule: Json = {"toPorts": port}
        if allowed == "world":
            rule["fromEntities"] = ["world"]
        else:
            rule["fromEndpoints"] = [{"matchLabels": {"app": allowed}}]
        spec: Json = {"endpointSelector": {"matchLabels": {"app": selector}}, "ingress": [rule]}
        return foreign_policy({"metadata": meta, "spec": spec}, "cilium.io/v2", "CiliumNetworkPolicy")
    rule = {
        "action": "Allow",
        "protocol": "TCP",
        "source": {"selector": f"app == '{allowed}'"},
        "destination": {"ports": [80]},
    }
    spec = {"selector": f"app == '{selector}'", "types": ["Ingress"], "ingress": [rule]}
    return foreign_policy({"metadata": meta, "spec": spec}, "projectcalico.org/v3", "NetworkPolicy")


def standard(name: str, selector: str, allowed: str | None) -> NetworkPolicy:
    """Return the NetworkPolicy that says the same; from everybody where *allowed* is None."""
    rule: Json = {"ports": [{"protocol": "TCP", "port": 80}]}
    if allowed is not None:
        rule["from"] = [{"podSelector": {"matchLabels": {"app": allowed}}}]
    spec = {"podSelector": {"matchLabels": {"app": selector}}, "policyTypes": ["Ingress"], "ingress": [rule]}
    return msgspec.convert({"metadata": {"name": name, "namespace": "shop"}, "spec": spec}, NetworkPolicy)


def shop(sources: tuple[ForeignPolicy, ...]) -> World:
    """Return three workloads of one pod each: ``web`` on n1, ``db`` on n2, ``spy`` on n3."""
    pods = [
        {
            "namespace": "shop",
            "name": f"{app}-1",
            "ip": f"10.0.1.{number + 11}",
            "labels": {"app": app},
            "node": node,
            "serviceAccount": "default",
        }
        for number, (app, node) in enumerate(zip(("web", "db", "spy"), NODES, strict=True))
    ]
    made = world(
        {"namespaces": [{"name": "shop"}], "pods": pods}, {name: f"172.16.0.{n + 11}" for n, name in enumerate(NODES)}
    )
    owned = tuple(
        msgspec.structs.replace(
            p,
            metadata=msgspec.structs.replace(
                p.metadata, owner_references=(OwnerReference("StatefulSet", p.labels["app"], controller=True),)
            ),
        )
        for p in made.pods
    )
    return replace(made, pods=owned, foreign_policies=sources)


def a_plan() -> Plan:
    """Return the bones of a plan: apply, soak, delete."""
    made = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "db", "namespace": "shop"}}
    ref = ObjectRef.of(made)
    back = Undo("delete it again", Delete((ObjectId(ref),)), Absent((ObjectId(ref),)))
    source = ObjectRef("projectcalico.org/v3", "NetworkPolicy", "db", "shop")
    gone = Delete((ObjectId(source),))
    return Plan(
        verb=Verb.MIGRATE,
        steps=(
            Step("apply", "Apply shop/db", Apply(made), Holds(made), undo=back, phase="4 apply"),
            Step("soak", "Wait and see", Look(), Soaked(60), phase="6 exit"),
            Step("delete", "Delete Calico's policies", gone, Absent(gone.objects), one_way="they are gone", phase="8 left-overs"),
        ),
    )


@dataclass
class Stage:
    """A cluster that is moved by hand, scene by scene, and the watch over it."""

    sources: tuple[ForeignPolicy, ...] = (policy("db", "db", "web"),)
    brought: tuple[NetworkPolicy, ...] = (standard("db", "db", "web"),)
    ebpf: bool = False
    dialect: str = "calico"
    accepted: tuple[str, ...] = ()
    grace: float = 0.0
    plan: Plan = field(default_factory=a_plan)
    states: dict[str, NodeState] = field(default_factory=dict)
    where: dict[str, str] = field(default_factory=lambda: dict(zip(("web", "db", "spy"), NODES, strict=True)))
    at: float = 0.0

    def __post_init__(self) -> None:
        mine = shop(self.sources)
        self.rules = Rules.of(mine)
        self.end = replace(self.rules, policies=self.brought)
        self.versions = [0, 0]
        self.parts = {DAEMONSET: True, CONTROLLERS: True}
        self.agents = len(NODES)
        self.changed: set[str] = set(NODES)
        self.states = {node: NodeState(node, LIVE, ABSENT, pods=1) for node in NODES}
        ours = {(p.namespace, p.name) for p in self.brought}
        taken = self._taken_on() if self.accepted else None
        exposure = Exposure(mine, self.dialect, PROFILE, self.on, ours=ours, coming=[self.end], accepted=taken)
        self.watch = Watch(self.plan, self.scene, lambda: self.rules, exposure, ebpf=self.ebpf, grace=self.grace)
        self.watch()

    def _taken_on(self) -> TakenOn:
        return TakenOn(self.end, Waived(allowing(()), tuple(one for one in self.brought if one.name in self.accepted)))

    def on(self, node: str) -> Iterator[Workload]:
        """Yield the workloads on a node."""
        return (Workload("shop", "StatefulSet", app) for app, at in self.where.items() if at == node)

    def scene(self) -> Scene:
        """Return the moment."""
        changed, self.changed = frozenset(self.changed), set()
        return Scene(self.at, dict(self.states), changed, self.versions[0], self.versions[1], dict(self.parts), self.agents)

    def turn(self, *nodes: str, step: str = "", **changes: Any) -> None:
        """Let nodes (all of them where none is named) change so, and look."""
        self.at += 10.0
        self.watch.step = step or self.watch.step
        for node in nodes or NODES:
            self.states[node] = replace(self.states[node], **changes)
            self.changed.add(node)
        self.watch()

    def bring(self, *policies: NetworkPolicy) -> None:
        """Let NetworkPolicies be in force, and look."""
        self.rules = replace(self.rules, policies=policies)
        self.versions[0] += 1
        self.turn()

    def drop(self) -> None:
        """Delete the old engine's policies, and look."""
        self.rules = replace(self.rules, foreign=())
        self.versions[1] += 1
        self.turn()

    def gone(self, name: str, agents: int) -> None:
        """Let a workload of the old engine go, with so many agents left, and look."""
        self.parts[name] = False
        self.agents = agents
        self.turn()

    @property
    def broken(self) -> list[str]:
        """The invariants that did not hold, in the order they were seen."""
        return [violation.invariant.value for violation in self.watch.violations]

    def well(self) -> Stage:
        """Carry out a migration in place as it should be."""
        self.bring(*self.brought)
        self.turn(new=STARTING)
        self.turn(new=LIVE)
        for node in NODES:
            self.turn(node, schedulable=False)
            self.turn(node, old=FROZEN)
            self.turn(node, old=CLEANING)
            self.turn(node, old=ABSENT)
            self.turn(node, schedulable=True)
        self.gone(DAEMONSET, 0)
        self.watch.done |= {"apply", "soak"}
        self.gone(CONTROLLERS, 0)
        self.drop()
        return self
