"""The rules of policies that hold for the whole cluster, with types.

Four kinds say the same in nearly the same words: ClusterNetworkPolicy of ``networking.k8s.aws``, and AdminNetworkPolicy,
BaselineAdminNetworkPolicy and ClusterNetworkPolicy of ``policy.networking.k8s.io``. All of them are `ClusterRules`. They differ
in how they name what a rule does (``Accept`` or ``Allow``), in how they write ports (``ports`` or ``protocols``; `Rule.matches`
reads both), and in which peers they know.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum

import msgspec

from eksnetpol.model.nulls import without_nulls
from eksnetpol.model.objects.metadata import ApiObject
from eksnetpol.model.policies import ClusterNetworkPolicy
from eksnetpol.model.selectors import LabelSelector

LAST_PORT = 65535


class Action(StrEnum):
    """What a rule does with what it matches. ``Accept`` and ``Allow`` are one thing in the words of two kinds."""

    ACCEPT = "Accept"
    ALLOW = "Allow"
    DENY = "Deny"
    PASS = "Pass"

    @property
    def allows(self) -> bool:
        """True for both words that let traffic through."""
        return self in {Action.ACCEPT, Action.ALLOW}


class NamespacedPods(ApiObject, frozen=True):
    """Pods by namespace *and* labels; an empty or missing selector selects all."""

    namespace_selector: LabelSelector = LabelSelector()
    pod_selector: LabelSelector = LabelSelector()


class ClusterSubject(ApiObject, frozen=True):
    """Whom a policy applies to: all pods of some namespaces, or some of their pods. Neither: nobody."""

    namespaces: LabelSelector | None = None
    pods: NamespacedPods | None = None


class ClusterPeer(ApiObject, frozen=True):
    """Whom a rule speaks of. Exactly one member is set; where none is, this is a peer that no reader of today knows.

    ``nodes`` are known upstream alone, ``networks`` and ``domain_names`` in egress alone.
    """

    namespaces: LabelSelector | None = None
    pods: NamespacedPods | None = None
    nodes: LabelSelector | None = None
    networks: tuple[str, ...] = ()
    domain_names: tuple[str, ...] = ()

    @property
    def is_unknown(self) -> bool:
        """True where nothing is set. Such a peer matches nobody when it allows, and must not be taken for everybody."""
        return self == ClusterPeer()


class PortNumber(ApiObject, frozen=True):
    """One port."""

    port: int
    protocol: str = "TCP"


class PortRange(ApiObject, frozen=True):
    """Ports from ``start`` to ``end``, both included."""

    start: int
    end: int
    protocol: str = "TCP"


class ClusterPort(ApiObject, frozen=True):
    """An entry of ``ports``: one of the three is set."""

    port_number: PortNumber | None = None
    port_range: PortRange | None = None
    named_port: str = ""


class DestinationPort(ApiObject, frozen=True):
    """The port of an entry of ``protocols``: one of the two is set."""

    number: int | None = None
    range: PortRange | None = None


class Transport(ApiObject, frozen=True):
    """What an entry of ``protocols`` says of its protocol. Without ``destination_port``: every port."""

    destination_port: DestinationPort | None = None


class ProtocolMatch(ApiObject, frozen=True):
    """An entry of ``protocols``, as upstream has them since v1alpha2: one of the four is set."""

    tcp: Transport | None = None
    udp: Transport | None = None
    sctp: Transport | None = None
    destination_named_port: str = ""


class PortMatch(msgspec.Struct, frozen=True, order=True):
    """What both ways of writing ports come to: ports *low* to *high* of *protocol*, or those of the pod called *name*.

    A named port has the protocol that the pod gives it: ``protocol`` is empty then, and *low* and *high* are 0.
    """

    protocol: str = ""
    low: int = 0
    high: int = 0
    name: str = ""

    def __str__(self) -> str:
        if self.name:
            return self.name
        if (self.low, self.high) == (1, LAST_PORT):
            return f"all {self.protocol} ports"
        end = f"-{self.high}" if self.high != self.low else ""
        return f"{self.low}{end}/{self.protocol}"


class Rule(ApiObject, frozen=True):
    """What rules of both directions have. Where neither ``ports`` nor ``protocols`` is set, every port of every protocol."""

    action: Action
    name: str = ""
    ports: tuple[ClusterPort, ...] = ()
    protocols: tuple[ProtocolMatch, ...] = ()

    @property
    def matches(self) -> tuple[PortMatch, ...] | None:
        """The ports it speaks of, of any of which a connection must be; None where it does not ask for the port."""
        if not self.ports and not self.protocols:
            return None
        return (*_of_ports(self.ports), *_of_protocols(self.protocols))


class ClusterIngressRule(Rule, frozen=True):
    """What to do with what comes from ``peers``, any of them. Without any it speaks of nobody."""

    peers: tuple[ClusterPeer, ...] = msgspec.field(default=(), name="from")


class ClusterEgressRule(Rule, frozen=True):
    """What to do with what goes to ``peers``, any of them. Without any it speaks of nobody."""

    peers: tuple[ClusterPeer, ...] = msgspec.field(default=(), name="to")


class ClusterRules(ApiObject, frozen=True):
    """The ``spec`` of such a policy. Rules are asked in their order, and the first that matches settles it.

    ``tier`` is ``Admin`` or ``Baseline``, in AdminNetworkPolicies and BaselineAdminNetworkPolicies too, which do not write it.
    The lower ``priority`` is asked first; a BaselineAdminNetworkPolicy has none.
    """

    tier: str = ""
    priority: int = 0
    subject: ClusterSubject = ClusterSubject()
    ingress: tuple[ClusterIngressRule, ...] = ()
    egress: tuple[ClusterEgressRule, ...] = ()


def read_cluster_policy(policy: ClusterNetworkPolicy) -> ClusterRules:
    """Return the spec of a ClusterNetworkPolicy of ``networking.k8s.aws`` with its rules typed.

    Raises `ValueError`, which names policy and place, where a rule is not of the shape that its CustomResourceDefinition demands.
    """
    spec = policy.spec
    members = {
        "tier": spec.tier,
        "priority": spec.priority,
        "subject": spec.subject,
        "ingress": list(spec.ingress),
        "egress": list(spec.egress),
    }
    try:
        return msgspec.convert(without_nulls(members), ClusterRules)
    except msgspec.ValidationError as error:
        place = str(error).replace("`$.", "`spec.")
        raise ValueError(f"ClusterNetworkPolicy {policy.metadata.name}: {place[:1].lower()}{place[1:]}") from None


def _of_ports(ports: tuple[ClusterPort, ...]) -> Iterator[PortMatch]:
    for port in ports:
        if port.port_number is not None:
            yield PortMatch(port.port_number.protocol, port.port_number.port, port.port_number.port)
        if port.port_range is not None:
            yield PortMatch(port.port_range.protocol, port.port_range.start, port.port_range.end)
        if port.named_port:
            yield PortMatch(name=port.named_port)


def _of_protocols(protocols: tuple[ProtocolMatch, ...]) -> Iterator[PortMatch]:
    for entry in protocols:
        given: Mapping[str, Transport | None] = {"TCP": entry.tcp, "UDP": entry.udp, "SCTP": entry.sctp}
        for protocol, transport in given.items():
            if transport is not None:
                yield _of_transport(protocol, transport)
        if entry.destination_named_port:
            yield PortMatch(name=entry.destination_named_port)


def _of_transport(protocol: str, transport: Transport) -> PortMatch:
    port = transport.destination_port
    if port is not None and port.number is not None:
        return PortMatch(protocol, port.number, port.number)
    if port is not None and port.range is not None:
        return PortMatch(protocol, port.range.start, port.range.end)
    return PortMatch(protocol, 1, LAST_PORT)
