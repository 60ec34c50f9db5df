"""How many entries the agent must keep for one address: it has room for 24, and drops the rest, whichever they are.

As the agent compiles them (aws/aws-network-policy-agent, pkg/fwruleprocessor): for each identity and direction, the rules of all
policies that select one of its pods come together. Every peer is a CIDR; pods are their addresses. Entries of one CIDR are
united; a CIDR takes over the entries of each wider one that contains its first address, unless an ``except`` of that one holds
it; a host takes part only as receiver. Addresses of Services have entries of their own in egress. They are looked at where a
block holds them and not everything: elsewhere they take as many entries as the pods behind them, or fewer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from eksnetpol.model.kubernetes import Service
from eksnetpol.model.policies import PolicyPort
from eksnetpol.policy.addresses import Network, holds, parse_cidr
from eksnetpol.policy.declared import DeclaredPorts
from eksnetpol.policy.rules import Direction, Entry, Rule, entries_of, entry, names_of, peer_classes
from eksnetpol.policy.service_entries import opened_services
from eksnetpol.policy.universe import Classes, Universe

Entries = frozenset[Entry]

_ALL = ("0.0.0.0/0", "::/0")
_TAKEN_FOR_HOST = 32


@dataclass(frozen=True, slots=True)
class Crowd:
    """The address with most entries: how many, and which address it is in words."""

    entries: int
    where: str


@dataclass(frozen=True, slots=True)
class World:
    """The pods that peers mean, the ports they declare, and the Services before them."""

    universe: Universe
    ports: DeclaredPorts
    services: tuple[Service, ...] = ()


@dataclass(slots=True)
class Pile:
    """What comes together for one identity and direction. Blocks of another family than *family* (4, 6; None: unknown) are
    left out. Without a *world* a peer by selector stands for one address of its own, and a name for one port.
    """

    family: int | None
    world: World | None
    blocks: dict[Network, set[Entry]] = field(default_factory=dict)
    excepts: dict[Network, set[Network]] = field(default_factory=dict)
    peers: list[tuple[Classes, Entries]] = field(default_factory=list)
    strangers: list[tuple[str, Entries]] = field(default_factory=list)
    leading: list[Rule] = field(default_factory=list)

    def add(self, rule: Rule, selected: Classes) -> None:
        """Add *rule*, whose policy selects *selected*."""
        plain, named = entries_of(rule.ports), names_of(rule.ports)
        if rule.direction is Direction.INGRESS:
            # Names are looked up on the pods that the policy selects, and what is found holds for all of them and every peer.
            plain, named = plain | self._meant(named, selected), ()
        elif rule.peers:
            self.leading.append(rule)
        if plain:
            for cidr, excepts in _blocks_of(rule):
                self._add_block(cidr, excepts, plain)
        for peer in rule.peers:
            if peer.pod_selector is None and peer.namespace_selector is None:
                continue
            if self.world is None:
                self.strangers.append((f"a peer of {rule.place}", plain | self._meant(named, 0)))
            else:
                there = peer_classes(self.world.universe, rule.policy.namespace, peer)
                self.peers.extend(self._grants(there, plain, named))

    def _meant(self, named: Iterable[PolicyPort], by: Classes) -> Entries:
        if self.world is None:
            return frozenset((f"{p.protocol} {p.port}", 0, 0) for p in named)
        ports, own = self.world.ports, by & ~self.world.universe.terminal
        return frozenset(entry(p, n) for p in named for n in ports.meanings(p.protocol, str(p.port), own))

    def _grants(
        self, there: Classes, plain: Entries, named: tuple[PolicyPort, ...]
    ) -> Iterator[tuple[Classes, Entries]]:
        if there and plain:
            yield there, plain
        if named and self.world is not None:
            # Names of egress rules are looked up on each destination.
            for port in named:
                for number, classes in self.world.ports.meanings(port.protocol, str(port.port), there).items():
                    yield classes, frozenset({entry(port, number)})

    def _add_block(self, cidr: str, excepts: tuple[str, ...], entries: Entries) -> None:
        network = parse_cidr(cidr)
        if network is None or (self.family is not None and network.version != self.family):
            return
        self.blocks.setdefault(network, set()).update(entries)
        found = (parse_cidr(e) for e in excepts)
        self.excepts.setdefault(network, set()).update(n for n in found if n is not None)

    def fullest(self, above: int = 0) -> Crowd:
        """Return the address with most entries; where none has more than *above*, it may be any."""
        compiled = self._compiled()
        best = max((Crowd(len(e), str(n)) for n, e in compiled.items()), key=_size, default=Crowd(0, ""))
        best = max([best, *(Crowd(len(e), where) for where, e in self.strangers)], key=_size)
        if self.world is None:
            return best
        search = _Search(self, compiled, self.world.universe, above, best)
        search.pods()
        search.nodes()
        search.services(self.world)
        return search.best

    def _compiled(self) -> dict[Network, Entries]:
        done: dict[Network, Entries] = {}
        for network in sorted(self.blocks, key=lambda n: n.prefixlen):
            inherited = (done[w] for w in self._givers(network, done))
            done[network] = frozenset(self.blocks[network]).union(*inherited)
        return done

    def _givers(self, network: Network, wider: Iterable[Network]) -> tuple[Network, ...]:
        first = int(network.network_address)
        return tuple(
            w
            for w in wider
            if w.version == network.version
            and w.prefixlen < network.prefixlen
            # The agent takes a prefix length of 32 for a host in IPv6 too.
            and w.prefixlen != _TAKEN_FOR_HOST
            and holds(w, first)
            and not any(h.version == w.version and holds(h, first) for h in self.excepts[w])
        )

    def around(self, host: Network, compiled: Mapping[Network, Entries]) -> tuple[Network, ...]:
        """Return the blocks whose entries *host* gets: wider ones, and itself where it is a block."""
        own = (host,) if host in compiled else ()
        return (*own, *self._givers(host, compiled))


def _size(crowd: Crowd) -> int:
    return crowd.entries


def _blocks_of(rule: Rule) -> Iterator[tuple[str, tuple[str, ...]]]:
    if not rule.peers:
        for cidr in _ALL:
            yield cidr, ()
    for peer in rule.peers:
        if peer.ip_block is not None:
            yield peer.ip_block.cidr, peer.ip_block.except_


@dataclass(slots=True)
class _Search:
    """Looks for the fullest address among those of pods, skipping all that cannot be fuller than what was found."""

    pile: Pile
    compiled: Mapping[Network, Entries]
    universe: Universe
    above: int
    best: Crowd

    def pods(self) -> None:
        """Look at pods with an address of their own."""
        for own, classes in _parts(self.pile.peers, ~self.universe.on_host_network).items():
            self._among(own, self._addresses(classes))

    def nodes(self) -> None:
        """Look at nodes: pods on their network share one address, where their entries add up."""
        parts = _parts(self.pile.peers, self.universe.on_host_network)
        together = frozenset[Entry]().union(*parts)
        if not self._may_be_fuller(together):
            return
        at: dict[str, set[Entry]] = {}
        for own, classes in parts.items():
            for address, _ in self._addresses(classes):
                at.setdefault(address, set()).update(own)
        for address, entries in at.items():
            self._among(frozenset(entries), [(address, f"node {address}")])

    def services(self, world: World) -> None:
        """Look at Services that some block holds: their entries are the rules' ports as the Service offers them."""
        narrow = [n for n in self.compiled if n.prefixlen]
        # A port of a rule becomes one port of a Service at most.
        asked = {port for rule in self.pile.leading for port in rule.ports or (None,)}
        most = len(asked) + len(frozenset[Entry]().union(*self.compiled.values()))
        if not narrow or not asked or most <= max(self.above, self.best.entries):
            return
        hosts = ((s, parse_cidr(s.spec.cluster_ip)) for s in world.services)
        held = {
            (s.namespace, s.name): s
            for s, h in hosts
            if h is not None and any(h.version == n.version and holds(n, int(h.network_address)) for n in narrow)
        }
        at: dict[tuple[str, str], set[Entry]] = {}
        for rule in self.pile.leading:
            for service, entries in opened_services(rule, held.values(), world.universe, world.ports):
                at.setdefault((service.namespace, service.name), set()).update(entries)
        for key, own in at.items():
            self._among(frozenset(own), [(held[key].spec.cluster_ip, f"service {key[0]}/{key[1]}")])

    def _addresses(self, classes: Classes) -> Iterator[tuple[str, str]]:
        for pod_class in self.universe.members(classes):
            for pod in pod_class.pods:
                yield pod.status.pod_ip, f"pod {pod.namespace}/{pod.name}"

    def _may_be_fuller(self, own: Entries) -> bool:
        return len(own.union(*self.compiled.values())) > max(self.above, self.best.entries)

    def _among(self, own: Entries, addresses: Iterable[tuple[str, str]]) -> None:
        if not self._may_be_fuller(own):
            return
        tried: set[tuple[Network, ...]] = set()
        for address, name in addresses:
            host = parse_cidr(address)
            if host is None or (self.pile.family is not None and host.version != self.pile.family):
                continue
            around = self.pile.around(host, self.compiled)
            if around in tried:
                continue
            tried.add(around)
            count = len(own.union(*(self.compiled[w] for w in around)))
            if count > self.best.entries:
                self.best = Crowd(count, name)
                if not self._may_be_fuller(own):
                    return


def _parts(grants: Iterable[tuple[Classes, Entries]], among: Classes) -> dict[Entries, Classes]:
    # Classes that get the same entries stay together; those that several rules mean are split off.
    parts: dict[Entries, Classes] = {}
    for granted, entries in grants:
        peers = granted & among
        after: dict[Entries, Classes] = {}
        for own, classes in parts.items():
            _put(after, own | entries, classes & peers)
            _put(after, own, classes & ~peers)
            peers &= ~classes
        _put(after, entries, peers)
        parts = after
    return parts


def _put(parts: dict[Entries, Classes], entries: Entries, classes: Classes) -> None:
    if classes:
        parts[entries] = parts.get(entries, 0) | classes
