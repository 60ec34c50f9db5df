"""Addresses of Services that egress rules need: the agent sees a packet before a Service's address is turned into a pod's.

The controller opens the ClusterIPs of Services whose own selector fits a peer's labels. Where the source let all of a Service's
pods through and no peer opens its ClusterIP, that is written as a block, with the ports of the Service that lead there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import msgspec

from eksnetpol.model.policies import PolicyPeer
from eksnetpol.policy.connections import WITH_PORTS, Connections
from eksnetpol.policy.stacks.rules import PortName
from eksnetpol.policy.universe import Classes, indexes_of
from eksnetpol.translation.behind import Door, Fronts
from eksnetpol.translation.boxes import Box
from eksnetpol.translation.ground import Inventory
from eksnetpol.translation.regions import Ledger

Json = dict[str, Any]

_encode = msgspec.json.Encoder(order="deterministic").encode


@dataclass
class Services:
    """The Services of a cluster. A family of addresses is 4 or 6."""

    inventory: Inventory
    version: int
    _opened: dict[tuple[bytes, str], Classes] = field(default_factory=dict, repr=False)
    _needed: dict[tuple[Connections, PortName | None], tuple[tuple[tuple[Door, ...], Classes, tuple[Door, ...]], ...]] = field(
        default_factory=dict, repr=False
    )

    @cached_property
    def fronts(self) -> Fronts:
        """All that have an address."""
        return Fronts(self.inventory, self.version)

    def rules(self, box: Box, peers: list[Json], rule: Json, namespace: str, ledger: Ledger) -> list[Json]:
        """Return the rules that open the ClusterIPs that *rule* leaves closed; no *peers*: everybody is meant."""
        written = rule.get("ports")
        if not peers and written is None:
            return []
        whole = self.fronts.wholly(box.peer)
        if not whole:
            return []
        by_labels, by_block = self.opened(peers, namespace)
        closed: defaultdict[tuple[tuple[str, int], ...], Classes] = defaultdict(int)
        for doors, services, needed in self._needing(box):
            here = services & whole
            if not here:
                continue
            for services_so, is_labelled, is_in_block in _apart(here, by_labels, by_block):
                left = tuple(
                    (door.protocol, door.port)
                    for door in needed
                    if not (is_in_block and (written is None or any(_holds_number(p, door) for p in written)))
                    and not (is_labelled and (written is None or any(_leads(p, door, doors) for p in written)))
                )
                if left:
                    closed[left] |= services_so
        if closed:
            ledger.now["addresses of Services are written as they are today, because no peer opens them"] = None
        return [
            {
                "to": [{"ipBlock": {"cidr": address}} for address in self._cidrs(services)],
                "ports": [{"port": port, "protocol": protocol} for protocol, port in ports],
            }
            for ports, services in sorted(closed.items(), key=lambda one: self._first(one[1]))
        ]

    def opened(self, peers: Iterable[Json], namespace: str) -> tuple[Classes, Classes]:
        """Return the Services that *peers* open by their labels, and those whose addresses are in their blocks; none: all are."""
        by_labels, by_block, everybody = 0, 0, True
        for peer in peers:
            everybody = False
            if "ipBlock" in peer:
                by_block |= self.fronts.within(peer["ipBlock"]["cidr"])
            else:
                by_labels |= self.meant_by(peer, namespace)
        return by_labels, self.fronts.everything if everybody else by_block

    def meant_by(self, peer: Json, namespace: str) -> Classes:
        """Return the Services that the labels of *peer*, in a policy of *namespace*, open."""
        key = (_encode(peer), "" if "namespaceSelector" in peer else namespace)
        known = self._opened.get(key)
        if known is None:
            known = self._opened[key] = self.fronts.meant_by(msgspec.convert(peer, PolicyPeer), namespace)
        return known

    def _needing(self, box: Box) -> tuple[tuple[tuple[Door, ...], Classes, tuple[Door, ...]], ...]:
        """Return the Services that are alike in their ports, with those of these ports that *box* lets through."""
        key = (box.connections, box.name)
        known = self._needed.get(key)
        if known is None:
            found = ((doors, some, tuple(d for d in doors if _lets_through(box, d))) for doors, some in self.fronts.doors.items())
            known = self._needed[key] = tuple(one for one in found if one[2])
        return known

    def _cidrs(self, services: Classes) -> list[str]:
        length = 32 if self.version == 4 else 128  # noqa: PLR2004
        return [f"{a}/{length}" for a in sorted(self.fronts.services[at].spec.cluster_ip for at in indexes_of(services))]

    def _first(self, services: Classes) -> int:
        return min(self.fronts.places[at] for at in indexes_of(services))


def _apart(here: Classes, by_labels: Classes, by_block: Classes) -> Iterator[tuple[Classes, bool, bool]]:
    """Yield *here* cut by whether labels, and whether blocks, open a Service."""
    for labelled, is_labelled in ((here & by_labels, True), (here & ~by_labels, False)):
        for services, is_in_block in ((labelled & by_block, True), (labelled & ~by_block, False)):
            if services:
                yield services, is_labelled, is_in_block


def _lets_through(box: Box, door: Door) -> bool:
    if door.protocol not in WITH_PORTS:
        return False
    if box.name is not None:
        return box.name.protocol in {"", door.protocol} and box.name.name in door.names
    return all(number is not None and box.connections.allows(door.protocol, number) for number in door.numbers)


def _holds_number(written: Json, door: Door) -> bool:
    if written["protocol"] != door.protocol:
        return False
    low = written.get("port")
    return low is None or (isinstance(low, int) and low <= door.port <= written.get("endPort", low))


def _leads(written: Json, door: Door, doors: Iterable[Door]) -> bool:
    """Say whether the controller opens *door* for a written port: it takes the first that leads to it."""
    if written["protocol"] != door.protocol:
        return False
    if "port" not in written:
        return True
    first = next((d for d in doors if d.protocol == door.protocol and d.target == written["port"]), None)
    return first is not None and first.port <= door.port <= max(first.port, written.get("endPort", first.port))
