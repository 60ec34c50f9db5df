"""What may stand in Cilium's objects: closed shapes. What is not in them makes the whole object unclear.

Fields as in cilium/cilium ``pkg/policy/api`` and the CustomResourceDefinitions of cilium.io/v2. A list that is absent is
`UNSET`; an empty one is empty, and means something else.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from eksnetpol.engines.cilium.faults import UnclearError, by_schema

Json = dict[str, Any]
_T = TypeVar("_T")

_UNKNOWN = re.compile(r"Object contains unknown field `(?P<key>.*?)`(?: - at `(?P<place>.*)`)?")
_WRONG = re.compile(r"(?P<why>.*?)(?: - at `(?P<place>.*)`)?")


class _Closed(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A shape that takes no key but its own."""


# --- selectors --------------------------------------------------------------------------------------------------------


class Requirement(_Closed, frozen=True):
    """One of ``matchExpressions``."""

    key: str
    operator: str
    values: list[str] | UnsetType = UNSET


class Selector(_Closed, frozen=True):
    """A label selector. Keys may begin with a source and a colon."""

    match_labels: dict[str, str] | UnsetType = UNSET
    match_expressions: list[Requirement] | UnsetType = UNSET


# --- peers ------------------------------------------------------------------------------------------------------------


class CidrRule(_Closed, frozen=True):
    """A block, or the blocks of groups, without some of their parts."""

    cidr: str = ""
    except_: list[str] | UnsetType = field(default=UNSET, name="except")
    cidr_group_ref: str = ""
    cidr_group_selector: Selector | UnsetType = UNSET


class ServiceName(_Closed, frozen=True):
    """A Service by name."""

    service_name: str = ""
    namespace: str = ""


class ServiceSelector(_Closed, frozen=True):
    """Services by their labels."""

    selector: Selector
    namespace: str = ""


class ServicePeer(_Closed, frozen=True):
    """Services as destinations."""

    k8s_service: ServiceName | UnsetType = UNSET
    k8s_service_selector: ServiceSelector | UnsetType = UNSET


class Fqdn(_Closed, frozen=True):
    """A domain name, or a pattern of names."""

    match_name: str = ""
    match_pattern: str = ""


class AwsGroup(_Closed, frozen=True):
    """Security groups."""

    labels: dict[str, str] | UnsetType = UNSET
    security_groups_ids: list[str] | UnsetType = UNSET
    security_groups_names: list[str] | UnsetType = UNSET
    region: str = ""


class Group(_Closed, frozen=True):
    """Addresses that a cloud's API tells."""

    aws: AwsGroup | UnsetType = UNSET


# --- ports ------------------------------------------------------------------------------------------------------------


class Port(_Closed, frozen=True):
    """A port by number or name; ``0`` is all of them."""

    port: str = ""
    end_port: Annotated[int, Meta(ge=0, le=65535)] = 0
    protocol: str = ""


class _Secret(_Closed, frozen=True):
    name: str = ""
    namespace: str = ""


class _Tls(_Closed, frozen=True):
    secret: _Secret
    trusted_ca: str = field(default="", name="trustedCA")
    certificate: str = ""
    private_key: str = ""


class _EnvoyConfig(_Closed, frozen=True):
    name: str
    kind: str = ""


class _Listener(_Closed, frozen=True):
    envoy_config: _EnvoyConfig
    name: str
    priority: int = 0


class _HeaderMatch(_Closed, frozen=True):
    name: str
    mismatch: str = ""
    secret: _Secret | UnsetType = UNSET
    value: str = ""


class _Http(_Closed, frozen=True):
    path: str = ""
    method: str = ""
    host: str = ""
    headers: list[str] | UnsetType = UNSET
    header_matches: list[_HeaderMatch] | UnsetType = UNSET


class _Kafka(_Closed, frozen=True):
    role: str = ""
    api_key: str = field(default="", name="apiKey")
    api_version: str = field(default="", name="apiVersion")
    client_id: str = field(default="", name="clientID")
    topic: str = ""


class L7Rules(_Closed, frozen=True):
    """What a proxy looks at."""

    http: list[_Http] | UnsetType = UNSET
    kafka: list[_Kafka] | UnsetType = UNSET
    dns: list[Fqdn] | UnsetType = UNSET
    l7proto: str | UnsetType = UNSET
    l7: list[dict[str, str]] | UnsetType = UNSET


class PortRule(_Closed, frozen=True):
    """Ports, and what is looked at beyond them."""

    ports: list[Port] | UnsetType = UNSET
    terminating_tls: _Tls | UnsetType = field(default=UNSET, name="terminatingTLS")
    originating_tls: _Tls | UnsetType = field(default=UNSET, name="originatingTLS")
    server_names: list[str] | UnsetType = UNSET
    listener: _Listener | UnsetType = UNSET
    rules: L7Rules | UnsetType = UNSET


class DenyPortRule(_Closed, frozen=True):
    """Ports that are denied."""

    ports: list[Port] | UnsetType = UNSET


class IcmpField(_Closed, frozen=True):
    """A type of ICMP or ICMPv6, by number or name."""

    type: int | str
    family: str = ""


class Icmp(_Closed, frozen=True):
    """Types of ICMP."""

    fields: list[IcmpField] | UnsetType = UNSET


class _Authentication(_Closed, frozen=True):
    mode: str


# --- rules ------------------------------------------------------------------------------------------------------------


class _Ingress(_Closed, frozen=True):
    from_endpoints: list[Selector] | UnsetType = UNSET
    from_requires: list[Any] | UnsetType = UNSET
    from_cidr: list[str] | UnsetType = field(default=UNSET, name="fromCIDR")
    from_cidr_set: list[CidrRule] | UnsetType = field(default=UNSET, name="fromCIDRSet")
    from_entities: list[str] | UnsetType = UNSET
    from_groups: list[Group] | UnsetType = UNSET
    from_nodes: list[Selector] | UnsetType = UNSET
    icmps: list[Icmp] | UnsetType = UNSET


class IngressRule(_Ingress, frozen=True):
    """One of ``ingress``."""

    to_ports: list[PortRule] | UnsetType = UNSET
    authentication: _Authentication | UnsetType = UNSET


class IngressDenyRule(_Ingress, frozen=True):
    """One of ``ingressDeny``."""

    to_ports: list[DenyPortRule] | UnsetType = UNSET


class _Egress(_Closed, frozen=True):
    to_endpoints: list[Selector] | UnsetType = UNSET
    to_requires: list[Any] | UnsetType = UNSET
    to_cidr: list[str] | UnsetType = field(default=UNSET, name="toCIDR")
    to_cidr_set: list[CidrRule] | UnsetType = field(default=UNSET, name="toCIDRSet")
    to_entities: list[str] | UnsetType = UNSET
    to_services: list[ServicePeer] | UnsetType = UNSET
    to_groups: list[Group] | UnsetType = UNSET
    to_nodes: list[Selector] | UnsetType = UNSET
    icmps: list[Icmp] | UnsetType = UNSET


class EgressRule(_Egress, frozen=True):
    """One of ``egress``."""

    to_fqdns: list[Fqdn] | UnsetType = field(default=UNSET, name="toFQDNs")
    to_ports: list[PortRule] | UnsetType = UNSET
    authentication: _Authentication | UnsetType = UNSET


class EgressDenyRule(_Egress, frozen=True):
    """One of ``egressDeny``."""

    to_ports: list[DenyPortRule] | UnsetType = UNSET


Rule = IngressRule | IngressDenyRule | EgressRule | EgressDenyRule


class DefaultDeny(_Closed, frozen=True):
    """Whether the policy isolates, by direction, where it says so."""

    ingress: bool | UnsetType = UNSET
    egress: bool | UnsetType = UNSET


class _Origin(_Closed, frozen=True):
    key: str
    source: str = ""
    value: str = ""


class _Log(_Closed, frozen=True):
    value: str = ""


class Spec(_Closed, frozen=True):
    """One policy: ``spec``, or one of ``specs``."""

    endpoint_selector: Selector | UnsetType = UNSET
    node_selector: Selector | UnsetType = UNSET
    ingress: list[IngressRule] | UnsetType = UNSET
    ingress_deny: list[IngressDenyRule] | UnsetType = UNSET
    egress: list[EgressRule] | UnsetType = UNSET
    egress_deny: list[EgressDenyRule] | UnsetType = UNSET
    enable_default_deny: DefaultDeny = DefaultDeny()
    labels: list[_Origin] | UnsetType = UNSET
    description: str = ""
    log: _Log | UnsetType = UNSET


class Policy(_Closed, frozen=True):
    """A CiliumNetworkPolicy or a CiliumClusterwideNetworkPolicy."""

    api_version: str
    kind: str
    metadata: Json
    spec: Spec | UnsetType = UNSET
    specs: list[Spec] | UnsetType = UNSET
    status: Any = None


class _CidrGroupSpec(_Closed, frozen=True):
    external_cidrs: list[str] = field(name="externalCIDRs")


class CidrGroup(_Closed, frozen=True):
    """Blocks under a name and labels."""

    api_version: str
    kind: str
    metadata: Json
    spec: _CidrGroupSpec


def shaped(value: Any, shape: type[_T], place: str = "") -> _T:
    """Return *value* as *shape*. Raises `UnclearError` for a key that nobody knows, `RefusedError` for a wrong type."""
    try:
        return msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        text = str(error)
        unknown = _UNKNOWN.fullmatch(text)
        if unknown is not None:
            raise UnclearError(f"the field {unknown['key']!r} is not known", _below(place, unknown["place"])) from None
        wrong = _WRONG.fullmatch(text)
        why, where = (text, None) if wrong is None else (wrong["why"], wrong["place"])
        raise by_schema(f"{why[:1].lower()}{why[1:]}".replace("`", ""), _below(place, where)) from None


def _below(place: str, path: str | None) -> str:
    """Return a path that `msgspec` names below *place*, the way places are written: ``spec.ingress[2].toPorts``."""
    inner = (path or "$").removeprefix("$").lstrip(".")
    return f"{place}.{inner}" if place and inner and not inner.startswith("[") else f"{place}{inner}"
