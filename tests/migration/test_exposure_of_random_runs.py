"""Random sequences of moments of a migration, and what flows in each, beside a plain look at every pair of pods and packets.

The plain look knows nothing of sets: it asks Calico's and the VPC CNI's plain semantics, direction by direction, about each pod
on each node, and lets a packet through where all that enforce on both nodes do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from msgspec import structs

from eksnetpol.migration import exposure as exposures
from eksnetpol.migration.exposure import Exposure, Flow
from eksnetpol.migration.rules import Rules
from eksnetpol.model.enforcement import Enforcement, NodeState, Scene
from eksnetpol.model.foreign import foreign_policy
from eksnetpol.model.kubernetes import OwnerReference
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.policy.answers import Workload
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.world import World
from tests.migration import plain_calico
from tests.migration.promise import PROFILE, Cluster, calico
from tests.policy.oracle.plain import Packet, Place
from tests.policy.oracle.vpc_cni import VpcCni

Json = dict[str, Any]
NODES = ("n1", "n2", "n3")
EDGES = (1, 79, 80, 81, 443, 8000, 8080, 8100)
"""A port of each kind that the policies tell apart."""
PACKETS = (
    *((protocol, port) for protocol in ("TCP", "UDP", "SCTP") for port in EDGES),
    *(("ICMP", kind * 256) for kind in (0, 3, 8)),
)
ENFORCES = (Enforcement.LIVE, Enforcement.FROZEN)


@dataclass
class Meant:
    """What one set of objects means to both engines, packet by packet."""

    case: Cluster
    sources: list[Json]
    policies: tuple[NetworkPolicy, ...]
    known: dict[tuple[bool, str, str, str, int], tuple[bool, bool]] = field(default_factory=dict)

    @cached_property
    def old(self) -> plain_calico.Calico:
        """Calico's plain semantics of them."""
        kind = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy"}
        written = [msgspec.to_builtins(p) | kind for p in self.policies]
        return plain_calico.Calico(self.case.cluster, [*self.sources, *written])

    @cached_property
    def new(self) -> VpcCni:
        """The VPC CNI's."""
        world = replace(self.case.world, network_policies=self.policies, foreign_policies=(), admin_policies=())
        return VpcCni(world, PROFILE)

    @cached_property
    def places(self) -> dict[str, Place]:
        """Pods by address, as the plain VPC CNI knows them."""
        return {place.address: place for place in self.new.cluster.pods()}

    def sides(self, engine: str, source: str, destination: str, protocol: str, number: int) -> tuple[bool, bool]:
        """Return whether the source's side and the destination's side let a packet through."""
        key = (engine == "old", source, destination, protocol, number)
        if key not in self.known:
            self.known[key] = self._sides(*key)
        return self.known[key]

    def _sides(self, is_old: bool, source: str, destination: str, protocol: str, number: int) -> tuple[bool, bool]:
        if is_old:
            icmp = divmod(number, 256) if protocol == "ICMP" else (0, 0)
            out, into = self.old.allowed(plain_calico.Wire(source, destination, protocol, number, 40000, icmp))
            return out is not False, into is not False
        ends = [self.places.get(address) or Place(address) for address in (source, destination)]
        packet = Packet(protocol, number)
        out = self.new.passes(Direction.EGRESS, ends[0], destination, packet)
        into = self.new.passes(Direction.INGRESS, ends[1], source, packet)
        assert out is not None
        assert into is not None
        return out, into


@dataclass
class Run:
    """A migration of one random cluster: what is where, and the plain look at it."""

    case: Cluster
    outputs: tuple[NetworkPolicy, ...]
    where: dict[str, str]
    """The node of each pod, by address."""
    objects: list[Json]
    modes: dict[str, tuple[Meant | None, Meant | None]] = field(default_factory=dict)
    teams: tuple[NetworkPolicy, ...] = ()

    @classmethod
    def of(cls, number: int) -> Run:
        """Return the run that follows from *number*."""
        case = calico(number)
        outputs = tuple(msgspec.convert(o.manifest, NetworkPolicy) for o in case.translated().outputs)
        outputs = (*outputs, *(_wide(space, way) for space in ("alpha", "beta") for way in ("ingress", "egress")))
        where = {p["ip"]: p["node"] for p in case.cluster["pods"]}
        return cls(case, outputs, where, [o for o in case.objects if o["apiVersion"] != "networking.k8s.io/v1"])

    def world(self) -> World:
        """Return the cluster as it is at the beginning."""
        foreign = tuple(foreign_policy(o, o["apiVersion"], o["kind"]) for o in self.objects)
        # With an owner each, so that no two of them are one workload.
        pods = tuple(
            structs.replace(
                p,
                metadata=structs.replace(
                    p.metadata, owner_references=(OwnerReference("Job", p.name, p.name, controller=True),)
                ),
            )
            for p in self.case.world.pods
        )
        return replace(self.case.world, pods=pods, foreign_policies=foreign)

    @cached_property
    def names(self) -> dict[str, str]:
        """Addresses of pods, by what their workloads are called."""
        return {f"{p['namespace']}/Job/{p['name']}": p["ip"] for p in self.case.cluster["pods"]}

    def on(self, node: str) -> Iterator[Workload]:
        """Yield the workloads with pods on a node."""
        for pod in self.case.cluster["pods"]:
            if self.where[pod["ip"]] == node:
                yield Workload(pod["namespace"], "Job", pod["name"])

    def rules(self, dropped: int, brought: int) -> tuple[Rules, Meant]:
        """Return what is in force with some sources gone and some outputs there, both given as bits."""
        kept = [o for i, o in enumerate(self.objects) if not (dropped >> i & 1 and "Policy" in o["kind"])]
        policies = (*self.standing, *(p for i, p in enumerate(self.outputs) if brought >> i & 1))
        foreign = tuple(foreign_policy(o, o["apiVersion"], o["kind"]) for o in kept)
        return Rules(policies=policies, foreign=foreign), Meant(self.case, kept, policies)

    @cached_property
    def beginning(self) -> Meant:
        """What was in force at the beginning."""
        return Meant(self.case, self.objects, self.standing)

    @property
    def standing(self) -> tuple[NetworkPolicy, ...]:
        """NetworkPolicies that are not the migration's."""
        return (*self.case.world.network_policies, *self.teams)

    def add(self, policy: NetworkPolicy) -> None:
        """Let a team apply a policy of its own midway: what it means is what is wanted from then on."""
        self.teams = (*self.teams, policy)
        self.__dict__.pop("beginning", None)

    def flowed(self, source: str, destination: str, protocol: str, number: int) -> bool:
        """Say whether a packet got through at the beginning."""
        return all(self.beginning.sides("old", source, destination, protocol, number))

    def flows(self, source: str, destination: str, protocol: str, number: int) -> bool:
        """Say whether a packet gets through now."""
        found = True
        for at, address in enumerate((source, destination)):
            if address in self.where:
                for engine, meant in zip(("old", "new"), self.modes[self.where[address]], strict=True):
                    if meant is not None:
                        found &= meant.sides(engine, source, destination, protocol, number)[at]
        return found

    def changed(self, *, more: bool) -> set[tuple[str, str]]:
        """Return the pairs of pods between which some packet flows and did not, or flowed and does not."""
        found = set()
        for (one, source), (other, destination) in product(self.names.items(), repeat=2):
            if source != destination:
                for packet in PACKETS:
                    was, now = self.flowed(source, destination, *packet), self.flows(source, destination, *packet)
                    if was != now and now is more:
                        found.add((one, other))
                        break
        return found


def _wide(space: str, way: str) -> NetworkPolicy:
    """Return a policy that no translation writes: it lets more through than there was, under either engine."""
    spec = {"podSelector": {}, "policyTypes": [way.title()], way: [{"ports": [{"protocol": "TCP", "port": 80}]}]}
    return msgspec.convert({"metadata": {"name": f"wide-{way}", "namespace": space}, "spec": spec}, NetworkPolicy)


def _of_a_team() -> NetworkPolicy:
    """Return a policy that asks for what no other does: another block, another label."""
    zoneless = {"matchExpressions": [{"key": "zone", "operator": "DoesNotExist"}]}
    peers = [{"ipBlock": {"cidr": "10.0.1.8/29"}}, {"podSelector": zoneless}]
    rule = {"ports": [{"protocol": "TCP", "port": 443}], "from": peers}
    spec = {"podSelector": {"matchLabels": {"app": "a"}}, "policyTypes": ["Ingress"], "ingress": [rule]}
    return msgspec.convert({"metadata": {"name": "team", "namespace": "alpha"}, "spec": spec}, NetworkPolicy)


ENFORCEMENTS = st.sampled_from((*Enforcement, Enforcement.LIVE, Enforcement.LIVE, Enforcement.FROZEN))


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), number=st.integers(0, 400))
def test_what_flows_at_each_moment_is_what_a_plain_look_finds(data: st.DataObject, number: int) -> None:
    run = Run.of(number)
    # What is said of single types of ICMP, or of all protocols but one, no list of packets would show.
    assume(not any(word in str(run.objects) for word in ("ICMP", "notProtocol")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exposures, "SHOWN", 10_000)
        _follow(run, data)


def _follow(run: Run, data: st.DataObject) -> None:
    everything, _ = run.rules(0, -1)
    ours = {(p.namespace, p.name) for p in run.outputs}
    followed = Exposure(run.world(), "calico", PROFILE, run.on, ours=ours, coming=[everything])
    states: dict[str, NodeState] = {}
    dropped = brought = 0
    now = run.rules(0, 0)[1]
    for moment in range(data.draw(st.integers(3, 6), "moments")):
        if moment and data.draw(st.integers(0, 3), "policies stay"):
            dropped = data.draw(st.sampled_from((0, 0, dropped, 1, 2)), "dropped")
            brought = data.draw(st.integers(0, (1 << len(run.outputs)) - 1), "brought")
            if not run.teams and data.draw(st.integers(0, 2), "a team applies one") == 0:
                run.add(_of_a_team())
            rules, now = run.rules(dropped, brought)
            followed.learn(rules)
        changed = set(data.draw(st.sets(st.sampled_from(NODES), min_size=1), "nodes")) if moment else set(NODES)
        for pod in sorted(run.where):
            if data.draw(st.integers(0, 3), "moves") == 0:
                changed |= {run.where[pod], node := data.draw(st.sampled_from(NODES), "to")}
                run.where[pod] = node
        for node in sorted(changed):
            was = states.get(node)
            old, new = data.draw(ENFORCEMENTS, "old"), data.draw(ENFORCEMENTS, "new")
            states[node] = NodeState(node, old, new, pods=sum(w == node for w in run.where.values()))
            former = run.modes.get(node, (None, None))
            run.modes[node] = (
                _meant(old, was.old if was else None, former[0], now),
                _meant(new, was.new if was else None, former[1], now),
            )
        for node, state in states.items():
            run.modes[node] = tuple(  # type: ignore[assignment]
                now if e is Enforcement.LIVE else m for e, m in zip((state.old, state.new), run.modes[node], strict=True)
            )
        found = followed.see(Scene(float(moment), dict(states), frozenset(changed), 0, 0, {}, 0))
        assert _pods(run, found.flows) == run.changed(more=True)
        for flow in found.flows:
            assert _is_real(run, followed, flow), flow
        lost = {pair[:2] for pair in followed.narrowed().shown if pair[0] in run.names and pair[1] in run.names}
        assert lost == run.changed(more=False)


def _meant(now: Enforcement, was: Enforcement | None, former: Meant | None, policies: Meant) -> Meant | None:
    if now not in ENFORCES:
        return None
    return former if now is was is Enforcement.FROZEN else policies


def _pods(run: Run, flows: tuple[Flow, ...]) -> set[tuple[str, str]]:
    named = {(f.source, f.destination) for f in flows}
    return {pair for pair in named if pair[0] in run.names and pair[1] in run.names}


def _is_real(run: Run, followed: Exposure, flow: Flow) -> bool:
    """Say whether a flow that is shown flows by the plain look, and did not at the beginning."""
    outside = {str(atom.block): sample for atom, sample in followed.terrain.samples.items()}
    source, destination = (run.names.get(end) or outside[end] for end in (flow.source, flow.destination))
    if flow.protocol in {"OTHER", "ICMPv6"}:
        return True
    packet = (flow.protocol, flow.port)
    return run.flows(source, destination, *packet) and not run.flowed(source, destination, *packet)
