"""Antrea's kinds as their CustomResourceDefinitions write them (``crd.antrea.io/v1beta1``), closed: an unknown key is an error.

Both policy kinds share these shapes; which keys one of them does not know is said in `refusals`.
"""

from __future__ import annotations

from functools import cache
from typing import Literal

import msgspec

from eksnetpol.model.selectors import LabelSelector, Requirement


class _Closed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Knows no other keys."""


class Wanted(Requirement, frozen=True, forbid_unknown_fields=True):
    """One entry of ``matchExpressions``."""


class Selector(LabelSelector, frozen=True, forbid_unknown_fields=True):
    """A label selector."""

    match_expressions: tuple[Wanted, ...] = ()


class Block(_Closed, frozen=True):
    """A CIDR, without some of its parts."""

    cidr: str
    except_: tuple[str, ...] = msgspec.field(default=(), name="except")


class Reference(_Closed, frozen=True):
    """An object by name; of a namespaced policy's own namespace where none is written."""

    name: str
    namespace: str = ""


class ServiceReference(Reference, frozen=True):
    """A Service, of this cluster or of the whole ClusterSet."""

    scope: Literal["", "Cluster", "ClusterSet"] = ""


class Namespaces(_Closed, frozen=True):
    """Namespaces by what they have in common with that of the pod a rule holds for."""

    match: Literal["", "Self"] = ""
    same_labels: tuple[str, ...] = ()


class AppliedTo(_Closed, frozen=True):
    """For whom a policy or rule holds."""

    pod_selector: Selector | None = None
    namespace_selector: Selector | None = None
    external_entity_selector: Selector | None = None
    node_selector: Selector | None = None
    group: str = ""
    service_account: Reference | None = None
    service: Reference | None = None


class Peer(_Closed, frozen=True):
    """Whom a rule speaks of."""

    pod_selector: Selector | None = None
    namespace_selector: Selector | None = None
    namespaces: Namespaces | None = None
    external_entity_selector: Selector | None = None
    node_selector: Selector | None = None
    ip_block: Block | None = None
    group: str = ""
    fqdn: str = ""
    service_account: Reference | None = None
    scope: Literal["", "Cluster", "ClusterSet"] = ""


class Port(_Closed, frozen=True):
    """Ports by number, range or name, and perhaps those they come from. Without ``port``: all of the protocol."""

    protocol: Literal["TCP", "UDP", "SCTP"] = "TCP"
    port: int | str | None = None
    end_port: int | None = None
    source_port: int | None = None
    source_end_port: int | None = None


class Icmp(_Closed, frozen=True):
    """ICMP; without a type, or code, all of them."""

    icmp_type: int | None = None
    icmp_code: int | None = None


class Igmp(_Closed, frozen=True):
    """IGMP; without a type, or group, all of them."""

    igmp_type: int | None = None
    group_address: str = ""


class Protocol(_Closed, frozen=True):
    """A protocol without ports: one of the two."""

    icmp: Icmp | None = None
    igmp: Igmp | None = None


class Http(_Closed, frozen=True):
    """HTTP requests."""

    host: str = ""
    method: str = ""
    path: str = ""


class Tls(_Closed, frozen=True):
    """TLS handshakes."""

    sni: str = ""


class Layer7(_Closed, frozen=True):
    """What is judged beyond ports: one of the two."""

    http: Http | None = None
    tls: Tls | None = None


class Rule(_Closed, frozen=True):
    """A rule of either direction. Without ``from`` or ``to`` it speaks of everybody."""

    action: Literal["Allow", "Drop", "Reject", "Pass"]
    applied_to: tuple[AppliedTo, ...] = ()
    ports: tuple[Port, ...] = ()
    protocols: tuple[Protocol, ...] = ()
    l7_protocols: tuple[Layer7, ...] = ()
    from_: tuple[Peer, ...] = msgspec.field(default=(), name="from")
    to: tuple[Peer, ...] = ()
    to_services: tuple[ServiceReference, ...] | None = None
    name: str = ""
    enable_logging: bool = False
    log_label: str = ""


class PolicySpec(_Closed, frozen=True):
    """What both policy kinds say."""

    priority: float
    tier: str = ""
    applied_to: tuple[AppliedTo, ...] = ()
    ingress: tuple[Rule, ...] = ()
    egress: tuple[Rule, ...] = ()


class TierSpec(_Closed, frozen=True):
    """Where a tier stands: the lower is asked first."""

    priority: int
    description: str = ""


class GroupSpec(_Closed, frozen=True):
    """Whom a ClusterGroup or a Group means."""

    child_groups: tuple[str, ...] = ()
    pod_selector: Selector | None = None
    namespace_selector: Selector | None = None
    node_selector: Selector | None = None
    external_entity_selector: Selector | None = None
    ip_blocks: tuple[Block, ...] = ()
    service_reference: Reference | None = None


def written(shape: msgspec.Struct) -> set[str]:
    """Return the names of the fields of *shape* that are written: that are not what they are without being written."""
    return {name for name, default in _defaults(type(shape)) if getattr(shape, name) != default}


@cache
def _defaults(shape: type[msgspec.Struct]) -> tuple[tuple[str, object], ...]:
    return tuple((field.name, field.default) for field in msgspec.structs.fields(shape))
