"""What a rule of Calico says of protocols and ports, in the words of a stack.

A name of a port that a rule leaves out, and the name of a source port, have no words there: such a rule becomes one for the pods
that give the name this number, one for those that give it that, and one for everybody else, as the cluster is now.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from eksnetpol.engines.calico import values
from eksnetpol.engines.calico.shapes import Json
from eksnetpol.engines.calico.values import Ports, RefusedError, UnclearError
from eksnetpol.engines.kubernetes_policies import all_of, any_of
from eksnetpol.model.kubernetes import Pod
from eksnetpol.policy.addresses import Network, parse_cidr
from eksnetpol.policy.connections import EVERYTHING, ICMP, ICMPV6, WITH_PORTS, Connections
from eksnetpol.policy.ports import EVERY_PORT, NO_PORTS, PortSet
from eksnetpol.policy.stacks.formulas import EVERYBODY, EndKind, Formula, Is, Label, Named, Not, Scope, Test, Unknowable, Within
from eksnetpol.policy.stacks.rules import PortName
from eksnetpol.policy.world import World

Meaning = frozenset[tuple[str, str, int]]
"""What a pod calls its ports: protocol, name and number."""


class Spoken(NamedTuple):
    """What a rule speaks of where its source and destination are these."""

    source: Formula = EVERYBODY
    destination: Formula = EVERYBODY
    connections: Connections = EVERYTHING
    names: tuple[PortName, ...] = ()
    source_ports: PortSet = EVERY_PORT


@dataclass(frozen=True)
class Names:
    """The names that the pods of a cluster give their ports."""

    world: World

    @cached_property
    def _declared(self) -> list[tuple[Pod, Meaning]]:
        pods = (p for p in self.world.pods if not p.spec.host_network and not p.is_terminal)
        found = ((pod, frozenset(_ports(pod))) for pod in pods)
        return [(pod, meaning) for pod, meaning in found if meaning]

    def groups(self, names: Iterable[str], protocols: Iterable[str]) -> tuple[list[tuple[Formula, Meaning]], Formula]:
        """Return pods by what these *names* mean to them, and everybody to whom they mean nothing."""
        wanted, spoken = set(names), set(protocols)
        found: dict[Meaning, list[Pod]] = {}
        for pod, declared in self._declared:
            meaning = frozenset(one for one in declared if one[0] in spoken and one[1] in wanted)
            if meaning:
                found.setdefault(meaning, []).append(pod)
        groups = [(_these(pods), meaning) for meaning, pods in sorted(found.items(), key=lambda item: sorted(item[0]))]
        return groups, all_of(Not(group) for group, _ in groups) if groups else EVERYBODY


def _ports(pod: Pod) -> Iterator[tuple[str, str, int]]:
    known: set[tuple[str, str]] = set()
    for container in (*pod.containers, *(c for c in pod.init_containers if c.restart_policy == "Always")):
        for port in container.ports:
            # Of several ports with one name, the first is the one that engines here go by.
            if port.name and (port.protocol, port.name) not in known:
                known.add((port.protocol, port.name))
                yield port.protocol, port.name, port.container_port


def _these(pods: Iterable[Pod]) -> Formula:
    """Return some pods, by address; those without one by what is known of them, which others may share."""
    networks: set[Network] = set()
    others: dict[Formula, None] = {}
    for pod in pods:
        network = parse_cidr(pod.status.pod_ip) if pod.status.pod_ip else None
        if network is not None:
            networks.add(network)
            continue
        labels = (Label(Scope.POD, key, Test.IN, frozenset({value})) for key, value in sorted(pod.labels.items()))
        here = Named(Scope.NAMESPACE, frozenset({pod.namespace}))
        doubt = Unknowable("which pods have a port of that name: they have no addresses yet")
        others[all_of([Is(frozenset({EndKind.POD})), here, *labels, doubt])] = None
    return any_of([*([Within(frozenset(networks))] if networks else []), *others])


def spoken(rule: Json, place: str, names: Names) -> list[Spoken]:
    """Return what a rule speaks of: one entry, or one for each group of pods that give its names other numbers.

    Raises `RefusedError` and `UnclearError`.
    """
    connections, protocols = _protocols(rule, place)
    sides = {side: _listed(rule, side, place) for side in ("source", "destination")}
    found: list[Spoken] = []
    for source, left, source_ports in _sources(*sides["source"], connections, protocols, names):
        for destination, open_to, by_name in _destinations(*sides["destination"], left, protocols, names):
            if open_to or by_name:
                found.append(Spoken(source, destination, open_to, by_name, source_ports))
    return found


def looked_up(rule: Json) -> Iterator[str]:
    """Yield what `spoken` looked up in the cluster: it may be otherwise tomorrow."""
    source, destination = rule.get("source", {}), rule.get("destination", {})
    written = (*(source.get("ports") or ()), *(source.get("notPorts") or ()), *(destination.get("notPorts") or ()))
    names = [port for port in written if isinstance(port, str) and not port.replace(":", "").isdigit()]
    if names:
        yield f"the pods that have a port named {' or '.join(dict.fromkeys(names))} are those of today"


def _protocols(rule: Json, place: str) -> tuple[Connections, tuple[str, ...]]:
    """Return what a rule speaks of but for its ports, and the protocols of which its ports are."""
    own = values.protocol(rule.get("protocol"), f"{place}.protocol")
    without = values.protocol(rule.get("notProtocol"), f"{place}.notProtocol")
    connections = EVERYTHING if own is None else Connections.only(*own)
    if without is not None:
        connections = connections - Connections.only(*without)
    is_icmp = own is not None and own[0] in {ICMP, ICMPV6}
    if "icmp" in rule and not is_icmp:
        raise RefusedError(f"{place}.icmp", "the rule has to name ICMP or ICMPv6 as its protocol beside it")
    kinds, others = (values.icmp(rule.get(key), f"{place}.{key}") for key in ("icmp", "notICMP"))
    if others is not None and not is_icmp:
        raise UnclearError(f"{place}.notICMP", "what it means without ICMP as the protocol is not known here")
    if own is not None and kinds is not None:
        connections = connections & Connections.only(own[0], kinds)
    if own is not None and others is not None:
        connections = connections - Connections.only(own[0], others)
    return connections, tuple(p for p in WITH_PORTS if connections[p])


def _listed(rule: Json, side: str, place: str) -> tuple[Ports | None, Ports | None]:
    """Return the ports and the ``notPorts`` of a side."""
    found: list[Ports | None] = []
    for key in ("ports", "notPorts"):
        here = f"{place}.{side}.{key}"
        ports = values.ports(rule.get(side, {}).get(key), here)
        if ports is not None and rule.get("protocol") is None and ports.numbers:
            raise RefusedError(here, "a port by number needs a protocol beside it")
        if ports is not None and rule.get("protocol") is not None and not _has_ports(rule["protocol"]):
            raise RefusedError(here, f"the protocol {rule['protocol']} has no ports: expected TCP, UDP or SCTP")
        found.append(ports)
    return found[0], found[1]


def _has_ports(protocol: object) -> bool:
    found = values.protocol(protocol, "")
    return found is not None and found[0] in WITH_PORTS


def _numbers(ports: Ports | None) -> PortSet:
    return NO_PORTS if ports is None else ports.numbers


def _meant(ports: Ports | None, protocol: str, meaning: Meaning) -> PortSet:
    """Return the numbers of a list of ports, where names have this meaning."""
    if ports is None:
        return NO_PORTS
    return ports.numbers | PortSet.of(*(number for own, name, number in meaning if own == protocol and name in ports.names))


def _sources(
    ports: Ports | None, without: Ports | None, connections: Connections, protocols: tuple[str, ...], names: Names
) -> Iterator[tuple[Formula, Connections, PortSet]]:
    """Yield whom a rule means as source, what it speaks of then, and from which ports."""
    if ports is None and without is None:
        yield EVERYBODY, connections, EVERY_PORT
        return
    first = EVERY_PORT if ports is None else ports.numbers
    asked = {*(() if ports is None else ports.names), *(() if without is None else without.names)}
    groups, rest = names.groups(asked, protocols) if asked else ([], EVERYBODY)
    plain = first - _numbers(without)
    if plain == EVERY_PORT:
        yield rest, connections, EVERY_PORT
    elif plain:
        yield rest, connections & Connections(dict.fromkeys(protocols, EVERY_PORT)), plain
    for whom, meaning in groups:
        if ports is None:
            # What has no ports is spoken of, whatever its source.
            unported = connections - Connections(dict.fromkeys(WITH_PORTS, EVERY_PORT))
            if unported:
                yield whom, unported, EVERY_PORT
        for protocol in protocols:
            own = (EVERY_PORT if ports is None else _meant(ports, protocol, meaning)) - _meant(without, protocol, meaning)
            if own:
                yield whom, connections & Connections.only(protocol), own


def _destinations(
    ports: Ports | None, without: Ports | None, connections: Connections, protocols: tuple[str, ...], names: Names
) -> Iterator[tuple[Formula, Connections, tuple[PortName, ...]]]:
    """Yield whom a rule means as destination, and what it speaks of then, by number and by name."""
    protocols = tuple(p for p in protocols if connections[p])
    numbered = connections if ports is None else connections & values.numbered(ports.numbers, protocols)
    by_name = () if ports is None else tuple(PortName(name, p) for name in ports.names for p in protocols)
    if without is None:
        is_any = protocols == WITH_PORTS
        yield EVERYBODY, numbered, tuple(PortName(name) for name in ports.names) if is_any and ports is not None else by_name
        return
    plain = numbered - values.numbered(without.numbers, protocols)
    if not by_name and not without.names:
        yield EVERYBODY, plain, ()
        return
    asked = {*without.names, *(() if ports is None else ports.names)}
    groups, rest = names.groups(asked, protocols)
    yield rest, plain, ()
    for whom, meaning in groups:
        opened = numbered
        if ports is not None:
            opened = opened | connections & Connections({p: _meant(ports, p, meaning) for p in protocols})
        yield whom, opened - Connections({p: _meant(without, p, meaning) for p in protocols}), ()
