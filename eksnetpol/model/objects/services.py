"""Services and what is configured by name."""

from __future__ import annotations

import msgspec

from eksnetpol.model.objects.metadata import ApiObject, Named, ObjectMeta


class ServicePort(ApiObject, frozen=True):
    """A port of a Service. ``target_port`` None means: the same as ``port``."""

    port: int
    name: str = ""
    protocol: str = "TCP"
    target_port: int | str | None = None
    node_port: int = 0


class ServiceSpec(ApiObject, frozen=True):
    """How a Service is reached and whom it reaches."""

    type: str = "ClusterIP"
    cluster_ip: str = msgspec.field(default="", name="clusterIP")
    cluster_i_ps: tuple[str, ...] = msgspec.field(default=(), name="clusterIPs")
    selector: dict[str, str] = msgspec.field(default_factory=dict)
    ports: tuple[ServicePort, ...] = ()
    external_traffic_policy: str = ""
    internal_traffic_policy: str = ""
    external_name: str = ""
    load_balancer_class: str = ""


class Service(Named, frozen=True):
    """A Service."""

    spec: ServiceSpec = ServiceSpec()

    @property
    def is_headless(self) -> bool:
        """True when it has no ClusterIP, so that clients meet the pods' own addresses."""
        return self.spec.cluster_ip == "None"


class Endpoint(ApiObject, frozen=True):
    """Addresses behind an EndpointSlice."""

    addresses: tuple[str, ...] = ()


class EndpointSlice(ApiObject, frozen=True):
    """An EndpointSlice; only that of ``default/kubernetes`` is read: the API server's own addresses."""

    metadata: ObjectMeta
    endpoints: tuple[Endpoint, ...] = ()


class ServiceAccount(ApiObject, frozen=True):
    """A ServiceAccount; its ``eks.amazonaws.com/role-arn`` annotation is what IRSA goes by."""

    metadata: ObjectMeta
    automount_service_account_token: bool | None = None


class ConfigMap(ApiObject, frozen=True):
    """A ConfigMap that is read by name; ``data`` holds only the keys somebody reads."""

    metadata: ObjectMeta
    data: dict[str, str] = msgspec.field(default_factory=dict)
