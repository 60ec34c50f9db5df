"""Where pods get their addresses: on the VPC CNI an ``ipBlock`` matches pods and nodes too, so blocks are cut around them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache

from eksnetpol.policy.addresses import Network, parse_cidr
from eksnetpol.policy.cidrs import EVERY_ADDRESS, NO_ADDRESSES, CidrSet
from eksnetpol.policy.ports import PortSet
from eksnetpol.policy.world import World

_PRIVATE = {4: ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "198.18.0.0/15"), 6: ("fc00::/7",)}
"""Where pods are taken to live when nobody says where they do (RFC 1918, 6598 and 2544, RFC 4193)."""

_SERVICES = {4: 16, 6: 108}
_USUAL = ("10.100.0.0/16", "172.20.0.0/16")
"""What EKS sets aside for Services where nobody says otherwise; in IPv6 a /108 (`CreateCluster`, serviceIpv4Cidr)."""

_AROUND = {4: 16, 6: 56}
"""The widest block that a VPC can have of each family."""


@dataclass(frozen=True)
class Addresses:
    """Addresses of a cluster, of its own family. ``known`` False: the VPC's blocks are a guess that is wide on purpose."""

    version: int
    pods_live_in: CidrSet
    known: bool
    taken: CidrSet
    """Those that pods and nodes have today."""
    nodes: CidrSet
    services: CidrSet = NO_ADDRESSES
    """Where Services with pods behind them get their addresses: no end has one, and the agent asks about them all the same."""
    services_guessed: CidrSet = NO_ADDRESSES
    """Those of them that are a guess, wide on purpose."""

    @cached_property
    def family(self) -> CidrSet:
        """All addresses of the family."""
        whole = EVERY_ADDRESS
        return CidrSet(v4=whole.v4) if self.version == 4 else CidrSet(v6=whole.v6)  # noqa: PLR2004 - the family

    def own(self, addresses: CidrSet) -> CidrSet:
        """Return those of the cluster's family."""
        return addresses & self.family

    def holds_all_pods(self, addresses: CidrSet) -> bool:
        """Say whether surely every pod's address is among them."""
        return (self.pods_live_in if self.known else self.family) <= addresses

    def holds_no_pod(self, addresses: CidrSet) -> bool:
        """Say whether surely no pod's address is, today or later."""
        return not self.own(addresses) & self.pods_live_in

    def without_pods(self, addresses: CidrSet) -> tuple[CidrSet, CidrSet, CidrSet]:
        """Cut *addresses* into what no pod can have, what pods could have and none has today, and the rest.

        The second are blocks that are narrower than the VPC's: somebody meant what is there.
        """
        here = self.own(addresses)
        safe = here - self.pods_live_in
        inner = here & self.pods_live_in
        idle = NO_ADDRESSES
        if inner and inner != self.pods_live_in:
            for block in inner.cidrs():
                own = of((block,))
                if not own & self.taken and block.prefixlen >= _AROUND[self.version]:
                    idle = idle | own
        return safe, idle, inner - idle


@lru_cache(maxsize=1 << 12)
def of(networks: tuple[Network, ...]) -> CidrSet:
    """Return the addresses of *networks*."""
    return CidrSet.of(*map(str, networks)) if networks else NO_ADDRESSES


def survey(world: World, vpc: Iterable[str], version: int) -> Addresses:
    """Return what is known of the addresses of *world*, in a VPC with the blocks *vpc*, in a cluster of family *version*."""
    blocks = [n for n in map(parse_cidr, vpc) if n is not None and n.version == version]
    nodes = [n for n in map(parse_cidr, world.node_addresses) if n is not None and n.version == version]
    texts = {p.status.pod_ip for p in world.pods if p.status.pod_ip and not p.is_terminal}
    pods = [n for n in map(parse_cidr, texts) if n is not None and n.version == version]
    live_in = _numbers(blocks)
    if not blocks:
        around = {n.supernet(new_prefix=_AROUND[version]) for n in (*pods, *nodes)}
        live_in = CidrSet.of(*_PRIVATE[version]) | _numbers(around)
    elif not _numbers(pods) <= live_in:
        # Custom networking, or a secondary block that was not told.
        live_in = live_in | _numbers({n.supernet(new_prefix=_AROUND[version]) for n in pods})
    taken = _numbers((*pods, *nodes))
    services, guessed = _services(world, version)
    return Addresses(version, live_in, bool(blocks), taken, _numbers(nodes), services - live_in, guessed - live_in)


def _services(world: World, version: int) -> tuple[CidrSet, CidrSet]:
    """Return where Services get their addresses, but those whose endpoints are not pods; and what of it is a guess."""
    found = [(s, n) for s in world.services if (n := parse_cidr(s.spec.cluster_ip)) is not None and n.version == version]
    told = parse_cidr(world.service_cidr) if world.service_cidr else None
    others = _numbers(n for s, n in found if not s.spec.selector)
    if told is not None and told.version == version:
        return _numbers({told}) - others, NO_ADDRESSES
    usual = [n for n in map(parse_cidr, _USUAL) if n is not None and n.version == version]
    around = {n.supernet(new_prefix=_SERVICES[version]) for _, n in found}
    return _numbers(around) - others, _numbers(n for n in around if n not in usual) - others


def _numbers(networks: Iterable[Network]) -> CidrSet:
    """Return the addresses of many networks at once."""
    by_version: dict[int, list[tuple[int, int]]] = {4: [], 6: []}
    for network in networks:
        by_version[network.version].append((int(network.network_address), int(network.broadcast_address)))
    return CidrSet(PortSet(by_version[4]), PortSet(by_version[6]))
