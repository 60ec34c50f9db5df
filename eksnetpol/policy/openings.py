"""Who may speak to a Service's address: opened by the selectors that mean the Service, or by blocks that hold the address."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from eksnetpol.model.kubernetes import Service
from eksnetpol.model.policies import PolicyPort
from eksnetpol.policy.addresses import overlaps, parse_cidr
from eksnetpol.policy.declared import DeclaredPorts
from eksnetpol.policy.isolation import Isolation
from eksnetpol.policy.peers import SelectedPeer
from eksnetpol.policy.reach import Blocks, Reach, reach
from eksnetpol.policy.rules import Direction, admits, entries_of
from eksnetpol.policy.service_entries import opened_services
from eksnetpol.policy.universe import Classes

_NOWHERE = Reach(0, 0, 0, ())
_EVERYTHING = frozenset({"0.0.0.0/0", "::/0"})


@dataclass(frozen=True, slots=True)
class Opening:
    """Egress-isolated classes, for one port of a Service.

    ``by_selector`` and ``by_block`` are opened it; ``perhaps`` are those for which it depends on an address that is not known.
    ``found`` is what blocks say of the address, empty where it is not known.
    """

    by_selector: Classes
    by_block: Classes
    perhaps: Classes
    found: Reach

    @property
    def allowed(self) -> Classes:
        """Who surely may."""
        return self.by_selector | self.by_block


@dataclass(frozen=True, slots=True)
class Openings:
    """What it takes to ask who may speak to a Service."""

    isolation: Isolation
    blocks: Blocks
    peers: tuple[SelectedPeer, ...]
    ports: DeclaredPorts

    def to(self, service: Service, protocol: str, port: int) -> Opening:
        """Return who may send *protocol* to *port*, which is one of the Service's own, of the ClusterIP of *service*."""
        by_selector = self._by_selector(service, protocol, port) & self.isolation.egress
        if parse_cidr(service.spec.cluster_ip) is not None:
            found = reach(self.blocks, self.isolation, service.spec.cluster_ip, protocol, port)
            return Opening(by_selector, found.allowed, 0, found)
        sure = perhaps = 0
        for block, selected in self.blocks.selected.items():
            if admits(entries_of(block.ports), protocol, port):
                if block.cidr in _EVERYTHING and not block.excepts:
                    sure |= selected
                else:
                    perhaps |= selected
        isolated = self.isolation.egress
        return Opening(by_selector, sure & isolated, perhaps & isolated & ~sure & ~by_selector, _NOWHERE)

    def _by_selector(self, service: Service, protocol: str, port: int) -> Classes:
        if not service.spec.cluster_ip or service.is_headless:
            return 0
        universe, answer = self.isolation.universe, 0
        for peer in self.peers:
            known: dict[tuple[PolicyPort, ...], bool] = {}
            for rule, index in peer.places:
                if rule.direction is not Direction.EGRESS:
                    continue
                opens = known.get(rule.ports)
                if opens is None:
                    alone = rule._replace(peers=(rule.peers[index],))
                    entries = (e for _, e in opened_services(alone, (service,), universe, self.ports))
                    opens = known[rule.ports] = any(admits(e, protocol, port) for e in entries)
                if opens:
                    answer |= self.isolation.subjects[rule.at].selected
        return answer


def blocks_that_admit(blocks: Blocks, cidrs: Iterable[str], protocol: str, port: int) -> Classes:
    """Return the classes that some block, which shares an address with one of *cidrs*, opens a port to or from."""
    wanted = [n for n in map(parse_cidr, cidrs) if n is not None]
    answer = 0
    for block, selected in blocks.selected.items():
        network = parse_cidr(block.cidr)
        if network is None or not selected & ~answer or not admits(entries_of(block.ports), protocol, port):
            continue
        if any(overlaps(str(n), block.cidr) for n in wanted):
            answer |= selected
    return answer


