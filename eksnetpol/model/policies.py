"""Network policies and what the controller makes of them, as the API has them.

Kinds of the group ``networking.k8s.aws`` are the Amazon VPC CNI's own; `ClusterNetworkPolicy` also exists upstream in
``policy.networking.k8s.io``, so kinds are always told apart by group.
"""

from __future__ import annotations

from typing import Any

import msgspec

from eksnetpol.model.kubernetes import ApiObject, Named, ObjectMeta
from eksnetpol.model.selectors import LabelSelector


class _Unwritten(tuple[Any, ...]):
    """An empty tuple that is told apart from others by its identity."""

    __slots__ = ()


EVERYBODY: tuple[Any, ...] = _Unwritten()
"""What ``from`` and ``to`` are where they are not written: empty, and everybody.

The API server makes an empty list in a NetworkPolicy an absent one. An ApplicationNetworkPolicy keeps it, and it means nobody.
"""

UNWRITTEN_PROTOCOL = b"TCP".decode()
"""What ``protocol`` is where it is not written. Equal to any other ``TCP``, and told apart by its identity."""


class IPBlock(ApiObject, frozen=True):
    """A CIDR, without some of its parts."""

    cidr: str
    except_: tuple[str, ...] = msgspec.field(default=(), name="except")


class PolicyPort(ApiObject, frozen=True):
    """A port of a rule. ``port`` None means every port of the protocol; ``end_port`` makes it a range."""

    protocol: str = UNWRITTEN_PROTOCOL
    port: int | str | None = None
    end_port: int | None = None

    @property
    def says_protocol(self) -> bool:
        """True when the protocol is written; the API server writes it into NetworkPolicies, not into AWS's own kinds."""
        return self.protocol is not UNWRITTEN_PROTOCOL

    def __str__(self) -> str:
        if self.port is None:
            return f"all {self.protocol} ports"
        end = f"-{self.end_port}" if self.end_port is not None else ""
        return f"{self.port}{end}/{self.protocol}"


class PolicyPeer(ApiObject, frozen=True):
    """Whom a rule speaks of: an ``ip_block``, or pods by namespace *and* labels. ``domain_names`` only in
    ApplicationNetworkPolicies.
    """

    pod_selector: LabelSelector | None = None
    namespace_selector: LabelSelector | None = None
    ip_block: IPBlock | None = None
    domain_names: tuple[str, ...] = ()


class IngressRule(ApiObject, frozen=True):
    """Who may come in. Empty ``peers`` means everybody (but see `EVERYBODY`), empty ``ports`` means every port."""

    peers: tuple[PolicyPeer, ...] = msgspec.field(default=EVERYBODY, name="from")
    ports: tuple[PolicyPort, ...] = ()


class EgressRule(ApiObject, frozen=True):
    """Where to. Empty ``peers`` means everywhere (but see `EVERYBODY`), empty ``ports`` means every port."""

    peers: tuple[PolicyPeer, ...] = msgspec.field(default=EVERYBODY, name="to")
    ports: tuple[PolicyPort, ...] = ()


class NetworkPolicySpec(ApiObject, frozen=True):
    """Which pods, and what they may."""

    pod_selector: LabelSelector = LabelSelector()
    ingress: tuple[IngressRule, ...] = ()
    egress: tuple[EgressRule, ...] = ()
    policy_types: tuple[str, ...] = ()


class NetworkPolicy(Named, frozen=True):
    """A NetworkPolicy of ``networking.k8s.io/v1`` or an ApplicationNetworkPolicy of ``networking.k8s.aws/v1alpha1``."""

    spec: NetworkPolicySpec = NetworkPolicySpec()

    @property
    def isolates_ingress(self) -> bool:
        """True when pods it selects take only what is allowed. Without ``policyTypes`` this is the default."""
        return "Ingress" in self.spec.policy_types or not self.spec.policy_types

    @property
    def isolates_egress(self) -> bool:
        """True when pods it selects send only what is allowed. Without ``policyTypes``: where it has egress rules."""
        return "Egress" in self.spec.policy_types or (not self.spec.policy_types and bool(self.spec.egress))


class PolicyRef(ApiObject, frozen=True):
    """The policy a PolicyEndpoint was made from."""

    name: str = ""
    namespace: str = ""


class PodEndpoint(ApiObject, frozen=True):
    """A pod that a PolicyEndpoint applies to."""

    name: str = ""
    namespace: str = ""
    pod_ip: str = msgspec.field(default="", name="podIP")
    host_ip: str = msgspec.field(default="", name="hostIP")


class EndpointInfo(ApiObject, frozen=True):
    """A resolved rule: one CIDR and its ports. ``action`` only in ClusterPolicyEndpoints."""

    cidr: str = ""
    except_: tuple[str, ...] = msgspec.field(default=(), name="except")
    ports: tuple[PolicyPort, ...] = ()
    domain_name: str = ""
    action: str = ""


class PolicyEndpointSpec(ApiObject, frozen=True):
    """What a node agent reads."""

    policy_ref: PolicyRef = PolicyRef()
    pod_selector: LabelSelector | None = None
    pod_isolation: tuple[str, ...] = ()
    pod_selector_endpoints: tuple[PodEndpoint, ...] = ()
    ingress: tuple[EndpointInfo, ...] = ()
    egress: tuple[EndpointInfo, ...] = ()
    tier: str = ""
    priority: int | None = None


class PolicyEndpoint(ApiObject, frozen=True):
    """A PolicyEndpoint or a ClusterPolicyEndpoint. Written by the controller, read by the agents, never by hand."""

    metadata: ObjectMeta
    spec: PolicyEndpointSpec = PolicyEndpointSpec()


class ClusterPolicySpec(ApiObject, frozen=True):
    """Tier, priority and subject; the rules stay as they are written, their reader is the policy engine."""

    tier: str = ""
    priority: int = 0
    subject: dict[str, Any] = msgspec.field(default_factory=dict)
    ingress: tuple[dict[str, Any], ...] = ()
    egress: tuple[dict[str, Any], ...] = ()


class ClusterNetworkPolicy(ApiObject, frozen=True):
    """A ClusterNetworkPolicy of ``networking.k8s.aws/v1alpha1``."""

    metadata: ObjectMeta
    spec: ClusterPolicySpec = ClusterPolicySpec()
