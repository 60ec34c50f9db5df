"""The rules of one pod as its agent compiles them: entries around one address, at the release in question.

`spots` answers for whole sets of pods, and only for the agent of today. Here a single pair is compiled for real (`dataplane`):
with the pod's node, the limit of ports for one address, and what older releases did.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from eksnetpol.policy.addresses import Network, holds
from eksnetpol.policy.agent_map import Entry
from eksnetpol.policy.atlas import UNKNOWN
from eksnetpol.policy.connections import ICMPV6, WITH_PORTS, Connections
from eksnetpol.policy.dataplane import bounds_at
from eksnetpol.policy.declared import DeclaredPorts
from eksnetpol.policy.ends import End
from eksnetpol.policy.grants import Grant, Grants
from eksnetpol.policy.profile import Profile
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.slots import Slot
from eksnetpol.policy.universe import Classes

_PING6 = Connections.only(ICMPV6)


class AgentRules:
    """Compiles what holds for one pod and one address."""

    def __init__(self, grants: Grants, names: DeclaredPorts, profile: Profile) -> None:
        self.grants = grants
        self.names = names
        self.profile = profile

    def bounds(
        self, rules: Iterator[tuple[Grant, Classes | None]], subject: End, peer: End, beside: Connections | None
    ) -> tuple[Connections, Connections]:
        """Return what surely passes and what may pass: where one address has too many ports, which of them survive is random.

        *rules* are those of one direction, each with the classes it means that have the address of *peer*
        (None: its selectors do not mean it). *beside* is what rules open to the address of a Service. ICMPv6, which passes
        always, is not counted.
        """
        is_known = peer.address != UNKNOWN
        # Of an address that is not known only blocks of all addresses are sure; any address will do to ask for them alone.
        address = peer.address if is_known else 1
        text = str(ipaddress.IPv4Address(address) if peer.version == 4 else ipaddress.IPv6Address(address))  # noqa: PLR2004
        entries = [] if beside is None else [Entry(text, (), _slots_of(beside))]
        for grant, meant in rules:
            if meant is not None:
                slots = self.slots(grant, meant)
                if slots is not None:
                    entries.append(Entry(text, (), slots, grant))
            if is_known:
                near = [pair for pair in grant.blocks if _is_near(pair[0], pair[1], peer)]
            else:
                near = [(n, ()) for n, _ in grant.blocks if not n.prefixlen and n.version == peer.version]
            slots = self.slots(grant, None) if near else None
            if slots is not None:
                entries.extend(Entry(str(network), tuple(map(str, holes)), slots, grant) for network, holes in near)
        node = subject.pod.status.host_ip if subject.pod is not None and is_known else ""
        sure, possible = bounds_at(
            entries, text, node_ip=node or None, family=self.profile.family, agent=self.profile.agent
        )
        return _uncounted(sure), _uncounted(possible)

    def slots(self, grant: Grant, peers: Classes | None) -> tuple[Slot, ...] | None:
        """Return the ports of a rule as the controller resolves them for *peers* (None: a block); None where nothing is left."""
        policy, _, selected, *_ = self.grants.policies[grant.at]
        is_ingress = grant.direction is Direction.INGRESS
        ports = (policy.spec.ingress if is_ingress else policy.spec.egress)[grant.number].ports
        if not ports:
            return ()
        found: dict[Slot, None] = {}
        for port in ports:
            if not isinstance(port.port, str):
                found[Slot(port.protocol, port.port, port.end_port)] = None
                continue
            # In ingress the controller looks a name up on all pods of the policy, in egress on each destination.
            for number in self.names.meanings(port.protocol, port.port, selected if is_ingress else peers or 0):
                found[Slot(port.protocol, number, port.end_port)] = None
        return tuple(found) or None


def _is_near(network: Network, holes: tuple[Network, ...], peer: End) -> bool:
    # An exception of the other family becomes some block of this one, and nobody would guess which.
    return any(n.version != peer.version or holds(n, peer.address) for n in holes) or (
        network.version == peer.version and holds(network, peer.address)
    )


def _slots_of(connections: Connections) -> tuple[Slot, ...]:
    if connections.is_everything:
        return ()
    return tuple(Slot(p, low, high) for p, ports in connections.items() if p in WITH_PORTS for low, high in ports.intervals)


def _uncounted(connections: Connections) -> Connections:
    return connections if connections.is_everything else connections - _PING6
