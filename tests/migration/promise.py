"""A random cluster with another engine's policies: read, asked, translated, and laid beside the plain semantics of that engine.

`readers` says where reader and engine over stacks answer otherwise than the plain source; `promise` says where the promise of a
translation is broken: something flows afterwards that did not and no verdict says so, or does not that did.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, cached_property
from itertools import product
from typing import Any

from eksnetpol.engines.antrea.read import read as read_antrea
from eksnetpol.engines.calico.read import read as read_calico
from eksnetpol.engines.cilium.read import read as read_cilium
from eksnetpol.engines.cilium.settings import Settings
from eksnetpol.engines.upstream import read as read_upstream
from eksnetpol.model.admin_policies import AdminPolicy
from eksnetpol.model.kubernetes import Service, ServicePort
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.policy.answers import Addresses, Engine, Party, Pods
from eksnetpol.policy.profile import Profile, Semantics
from eksnetpol.policy.stacks.engine import engine_for
from eksnetpol.policy.stacks.rules import Stack
from eksnetpol.policy.world import World
from eksnetpol.translation import Options, Translation, Verdict, translate
from eksnetpol.translation.comparing import after
from tests.migration import (
    plain_antrea,
    plain_calico,
    plain_cilium,
    plain_upstream,
    random_antrea,
    random_calico,
    random_cilium,
    random_ground,
    random_upstream,
)
from tests.migration.clusters import world
from tests.migration.plain_ground import Wire
from tests.policy.oracle.plain import Cluster as Running
from tests.policy.oracle.plain import Packet, Place, named
from tests.policy.oracle.strategies import decoded
from tests.policy.oracle.vpc_cni import VpcCni

Json = dict[str, Any]
PROFILE = Profile(family="ipv4")
WORSE = {Verdict.STRICTER, Verdict.NONE, Verdict.LOOSER}
Before = Callable[[str, str, str, int], bool | None]


@dataclass
class Cluster:
    """One cluster with an engine's objects, and that engine's plain semantics: source, destination, protocol, number.

    The plain semantics answer None where nobody can know.
    """

    cluster: Json
    objects: list[Json]
    nodes: dict[str, str]
    outside: tuple[str, ...]
    packets: tuple[tuple[str, int], ...]
    before: Before
    reader: Callable[[list[Json], World], Stack]
    plain: Callable[..., Before]
    """The plain semantics of other objects, and of another cluster where one is given."""
    less_sure: bool = False
    """The product may leave open what the plain semantics know: rules of equal priority that ask for ports by name."""
    cluster_policies: bool = False
    """Whether it may be translated into ClusterNetworkPolicies too."""

    def with_objects(self, objects: list[Json]) -> Cluster:
        """Return the same cluster with other objects."""
        return replace(self, objects=objects, before=self.plain(objects))

    @cached_property
    def world(self) -> World:
        """The cluster as the product sees it, with its NetworkPolicies."""
        standard = [o for o in self.objects if o["apiVersion"] == "networking.k8s.io/v1"]
        return replace(world(self.cluster, self.nodes), network_policies=decoded(standard, NetworkPolicy))

    @cached_property
    def stack(self) -> Stack:
        """What the reader makes of it."""
        return self.reader([o for o in self.objects if o["apiVersion"] != "networking.k8s.io/v1"], self.world)

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Return all pairs of addresses to ask about."""
        pods = [p["ip"] for p in self.cluster["pods"]]
        for one, other in product(dict.fromkeys((*pods, *self.outside)), repeat=2):
            if one != other and (one in pods or other in pods):
                yield one, other

    def is_at_home(self, source: str, destination: str) -> bool:
        """Say whether one is a pod and the other the node it runs on: the VPC CNI always lets them speak."""
        homes = {p["ip"]: self.nodes[p["node"]] for p in self.cluster["pods"]}
        return homes.get(source) == destination or homes.get(destination) == source

    def party(self, engine: Engine, address: str) -> Party:
        """Return who has an address, as an engine knows them."""
        for pod in self.world.pods:
            if pod.status.pod_ip == address:
                index = engine.atlas.class_of[pod.namespace, pod.name]
                return Pods(1 << index, f"{pod.namespace}/{pod.name}", (pod,))
        return Addresses(f"{address}/32", address)

    def readers(self) -> list[str]:
        """Return where the product's reading of the source differs from the plain one."""
        stack = self.stack
        found = [f"{one.ref} is not taken: {one.place} {one.why}" for one in (*stack.refused, *stack.unread)]
        engine = engine_for(self.world, replace(PROFILE, semantics=Semantics.KUBERNETES), stack)
        for source, destination in self.pairs():
            parties = [self.party(engine, a) for a in (source, destination)]
            answer = engine.connections(parties[0], parties[1])
            for protocol, number in self.packets:
                mine = (answer.every.allows(protocol, number), answer.some.allows(protocol, number))
                theirs = self.before(source, destination, protocol, number)
                if mine != (theirs is True, theirs is not False) and not (self.less_sure and mine == (False, True)):
                    found.append(f"{source} -> {destination} {protocol} {number}: read {mine}, plain {theirs}")
        return found

    def translated(self, *, compare: bool = True) -> Translation:
        """Return what the translator makes of it; without *compare* its verdicts are those of its reasoning alone."""
        options = Options(profile=PROFILE, vpc=("10.0.0.0/16",), compare=compare, cluster_policies=self.cluster_policies)
        return translate(self.stack, self.world, options)

    def through_services(self) -> list[str]:
        """Return where the translation says nothing of a difference in what reaches a pod through a Service."""
        found = list(self._unnamed_through_services(self.translated(compare=False)))
        return found and list(self._unnamed_through_services(self.translated()))

    def _unnamed_through_services(self, made: Translation) -> Iterator[str]:
        later = VpcCni(after(self.world, made.outputs), PROFILE)
        places = {place.address: place for place in later.cluster.pods()}
        spaces = {pod["ip"]: pod["namespace"] for pod in self.cluster["pods"]}
        sources = [pod["ip"] for pod in self.cluster["pods"] if not pod.get("hostNetwork")]
        worse, looser = _Named(made, WORSE), _Named(made, {Verdict.LOOSER})
        services = [s for s in self.world.services if later.cluster.address_of(s) is not None]
        for source, service in product(sources, services):
            for port in service.spec.ports:
                ends = list(_behind(later.cluster, service, port))
                ways = later.through(places[source], service, Packet(port.protocol, port.port))
                for (address, number), now in zip(ends, ways, strict=True):
                    if address == source or self.is_at_home(source, address):
                        continue
                    was = self.before(source, address, port.protocol, number)
                    home = spaces[source], spaces.get(address)
                    title = f"{source} -> {service.namespace}/{service.name}, {port.port} of {address}, {number}"
                    if now and not was and not looser.speaks_of(*home):
                        yield f"{title}: flows afterwards, and no verdict there says LOOSER: {made.judged}"
                    elif was and now is False and not worse.speaks_of(*home):
                        yield f"{title}: flows no longer, and no verdict there says so: {made.judged}"

    def promise(self, *, compare: bool = True) -> list[str]:
        """Return where the translation says nothing of a difference between before and after.

        Without *compare* its reasoning has to name every difference; only where that does not is it let compare, which is slow.
        """
        made = self.translated(compare=compare)
        found = list(self._unnamed(made))
        return found if compare or not found else self.promise()

    def _unnamed(self, made: Translation) -> Iterator[str]:
        later = VpcCni(after(self.world, made.outputs), PROFILE)
        places = {place.address: place for place in later.cluster.pods()}
        spaces = {pod["ip"]: pod["namespace"] for pod in self.cluster["pods"]}
        worse, looser = _Named(made, WORSE), _Named(made, {Verdict.LOOSER})
        for source, destination in self.pairs():
            if self.is_at_home(source, destination):
                continue
            ends = [places.get(a) or Place(a) for a in (source, destination)]
            home = spaces.get(source), spaces.get(destination)
            for protocol, number in self.packets:
                was = self.before(source, destination, protocol, number)
                now = later.flows(ends[0], ends[1], Packet(protocol, number))
                title = f"{source} -> {destination} {protocol} {number}"
                if now is None:
                    yield f"{title}: by chance afterwards"
                elif now and not was and not looser.speaks_of(*home):
                    yield f"{title}: flows afterwards, and no verdict there says LOOSER: {made.judged}"
                elif was and not now and not worse.speaks_of(*home):
                    yield f"{title}: flows no longer, and no verdict there says so: {made.judged}"


def _behind(cluster: Running, service: Service, port: ServicePort) -> Iterator[tuple[str, int]]:
    """Yield the addresses behind a port of a Service with the numbers it has there, in the order of the oracle."""
    for place in cluster.behind(service):
        target = port.port if port.target_port is None else port.target_port
        if isinstance(target, str) and place.pod is not None:
            number = named(place.pod, port.protocol, target, with_sidecars=True)
        else:
            number = int(target)
        if number is not None:
            yield place.address, number


class _Named:
    """Where some verdicts are: by direction the namespaces whose policies or rules have them, empty for the whole cluster."""

    def __init__(self, made: Translation, verdicts: set[Verdict]) -> None:
        self.at: dict[str, set[str]] = {"ingress": set(), "egress": set()}
        for judged in made.judged:
            for direction, spaces in self.at.items():
                other = {"ingress": "egress", "egress": "ingress"}[direction]
                if judged.verdict in verdicts and other not in judged.place.lower():
                    spaces.add(judged.ref.namespace)

    def speaks_of(self, source: str | None, destination: str | None) -> bool:
        """Say whether any can be about a connection between pods of two namespaces; None for what is no pod."""
        out, into = self.at["egress"], self.at["ingress"]
        return (source is not None and bool({"", source} & out)) or (destination is not None and bool({"", destination} & into))


def calico(number: int) -> Cluster:
    """Return the cluster with Calico's policies that follows from *number*."""
    maker = random_calico.Calico(number)
    cluster, objects = maker.cluster(), maker.objects()
    cluster["services"] = random_ground.Ground(number).services()

    def plain(own: list[Json], cluster: Json = cluster) -> Before:
        asked = plain_calico.Calico(cluster, own)

        def before(source: str, destination: str, protocol: str, number: int) -> bool | None:
            icmp = divmod(number, 256) if protocol == "ICMP" else (0, 0)
            wires = (plain_calico.Wire(source, destination, protocol, number, at, icmp) for at in random_calico.SOURCE_PORTS)
            may = {False not in asked.allowed(wire) for wire in wires}
            return may.pop() if len(may) == 1 else None

        return cache(before)

    def reader(own: list[Json], mine: World) -> Stack:
        return read_calico(own, mine.network_policies, mine)

    return Cluster(
        cluster, objects, random_calico.NODES, random_calico.OUTSIDE, random_calico.PACKETS, plain(objects), reader, plain
    )


def cilium(number: int) -> Cluster:
    """Return the cluster with Cilium's policies that follows from *number*."""
    maker = random_cilium.Cilium(number)
    cluster, objects = maker.cluster(random_calico.NODES), maker.objects()
    cluster["services"] = random_ground.Ground(number).services()

    def plain(own: list[Json], cluster: Json = cluster) -> Before:
        asked = plain_cilium.Cilium(cluster, own)
        pods = {p["ip"]: p for p in cluster["pods"]}

        def before(source: str, destination: str, protocol: str, number: int) -> bool:
            ends = [asked.pod(pods[a]) if a in pods else asked.at(a) for a in (source, destination)]
            kind = number // 256 if protocol == "ICMP" else number
            return False not in asked.allowed(ends[0], ends[1], protocol, kind)

        return cache(before)

    def reader(own: list[Json], mine: World) -> Stack:
        return read_cilium(own, mine.network_policies, mine, settings=Settings(api_servers=frozenset()))

    return Cluster(
        cluster, objects, random_calico.NODES, random_cilium.OUTSIDE, random_calico.PACKETS, plain(objects), reader, plain
    )


def _known(sides: tuple[set[bool] | None, set[bool] | None]) -> bool | None:
    """Return what comes of both sides of a connection, each with all its outcomes; None where it may be either."""
    may = {not any(one is False for one in ends) for ends in product(*(side or {True} for side in sides))}
    return may.pop() if len(may) == 1 else None


def antrea(number: int) -> Cluster:
    """Return the cluster with Antrea's policies that follows from *number*."""
    maker = random_antrea.Antrea(number)
    cluster, objects = maker.cluster(), maker.objects()

    def plain(own: list[Json], cluster: Json = cluster) -> Before:
        asked = plain_antrea.Antrea(cluster, own)

        def before(*wire: Any) -> bool | None:
            # From whichever port a connection comes, both ends see the same one.
            may = {_known(asked.allowed(Wire(*wire)._replace(source_port=port))) for port in random_antrea.SOURCE_PORTS}
            return may.pop() if len(may) == 1 else None

        return cache(before)

    def reader(own: list[Json], mine: World) -> Stack:
        return read_antrea(own, mine.network_policies, mine)

    return Cluster(
        cluster, objects, random_ground.NODES, random_ground.OUTSIDE, random_calico.PACKETS, plain(objects), reader, plain
    )


def upstream(number: int) -> Cluster:
    """Return the cluster with policies of ``policy.networking.k8s.io`` that follows from *number*."""
    maker = random_upstream.Upstream(number)
    cluster, objects = maker.cluster(), maker.objects()

    def plain(own: list[Json], cluster: Json = cluster) -> Before:
        asked = plain_upstream.Upstream(cluster, own)
        return cache(lambda *wire: _known(asked.allowed(Wire(*wire))))

    def reader(own: list[Json], mine: World) -> Stack:
        # The kinds that are a tier themselves do not write it; who fetches them does.
        tiered = [{**one, "spec": {**one["spec"], "tier": plain_upstream.tier(one)}} for one in own]
        return read_upstream(decoded(tiered, AdminPolicy), mine.network_policies, mine)

    # The kind for the baseline has no priority, and stands beside those of the first one.
    ranked = (one for one in objects if one["kind"] in plain_upstream.TIERS or "tier" in one["spec"])
    levels = [(plain_upstream.tier(one), one["spec"].get("priority", 0)) for one in ranked]
    by_name = any("amedPort" in key for one in objects for key in _keys(one))
    return Cluster(
        cluster,
        objects,
        random_ground.NODES,
        random_ground.OUTSIDE,
        random_calico.PACKETS,
        plain(objects),
        reader,
        plain,
        less_sure=by_name and len(levels) > len(set(levels)),
    )


def _keys(one: Any) -> Iterator[str]:
    for part in one.values() if isinstance(one, dict) else one if isinstance(one, list) else ():
        yield from _keys(part)
    yield from one if isinstance(one, dict) else ()


MAKERS: dict[str, Callable[[int], Cluster]] = {"calico": calico, "cilium": cilium, "antrea": antrea, "upstream": upstream}
