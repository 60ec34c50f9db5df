"""Who may speak to a Service's address: opened by the selectors that mean the Service, or by blocks that hold the address."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from eksnetpol.model.kubernetes import Service
from eksnetpol.model.policies import PolicyPort
from eksnetpol.policy.addresses import overlaps, parse_cidr
from eksnetpol.policy.declared import DeclaredPorts
from eksnetpol.policy.isolation import Isolation
from eksnetpol.policy.peers import SelectedPeer
from eksnetpol.policy.reach import Blocks, Reach, reach
from eksnetpol.policy.rules import Direction, Rule, admits, entries_of, names_of
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


@dataclass(frozen=True)
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
        asked = [None, *service.spec.selector.items()]
        for like, selected in (leading for label in asked for leading in self._leading.get(label, ())):
            if like.peers[0].namespace_selector is None and like.policy.metadata.namespace != service.metadata.namespace:
                continue
            if selected & ~answer:
                entries = (e for _, e in opened_services(like, (service,), universe, self.ports))
                if any(admits(e, protocol, port) for e in entries):
                    answer |= selected
        return answer

    @cached_property
    def _leading(self) -> dict[tuple[str, str] | None, list[tuple[Rule, Classes]]]:
        """Egress rules of one peer each, with all pods that are given it; equal ones once, by a label that they ask for."""
        found: dict[tuple[str, str] | None, list[tuple[Rule, Classes]]] = {}
        for peer in self.peers:
            alike: dict[tuple[PolicyPort, ...], tuple[Rule, Classes]] = {}
            for rule, index in peer.places:
                if rule.direction is Direction.EGRESS:
                    like, selected = alike.get(rule.ports) or (rule._replace(peers=(rule.peers[index],)), 0)
                    alike[rule.ports] = (like, selected | self.isolation.subjects[rule.at].selected)
            if alike:
                pods = peer.peer.pod_selector
                label = None if pods is None else next(iter(pods.match_labels.items()), None)
                found.setdefault(label, []).extend(alike.values())
        return found


def blocks_that_admit(blocks: Blocks, cidrs: Iterable[str], protocol: str, port: int) -> Classes:
    """Return the classes that some block, which shares an address with one of *cidrs*, opens a port to or from."""
    wanted = tuple(cidrs)
    answer = 0
    for block, selected in blocks.selected.items():
        if not selected & ~answer or not admits(entries_of(block.ports), protocol, port):
            continue
        if any(overlaps(cidr, block.cidr) for cidr in wanted):
            answer |= selected
    return answer


def lets_in(
    peers: Iterable[SelectedPeer], among: Classes, isolation: Isolation, ports: DeclaredPorts, protocol: str, port: int
) -> Iterator[tuple[Classes, Classes]]:
    """Yield, for ingress rules by selectors that open *port*, who may come in of *among*, and to whom."""
    for peer in peers:
        who = peer.classes & among
        if not who:
            continue
        for rule, _ in peer.places:
            if rule.direction is Direction.INGRESS:
                selected = isolation.subjects[rule.at].selected
                names = (str(p.port) for p in names_of(rule.ports) if p.protocol == protocol)
                named = (port in ports.meanings(protocol, name, selected) for name in names)
                if admits(entries_of(rule.ports), protocol, port) or any(named):
                    yield who, selected
