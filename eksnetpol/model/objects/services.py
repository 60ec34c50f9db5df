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


SERVICE_NAME = "kubernetes.io/service-name"
"""The label by which an EndpointSlice says whose it is."""


class Endpoint(ApiObject, frozen=True):
    """Addresses behind an EndpointSlice."""

    addresses: tuple[str, ...] = ()


class EndpointPort(ApiObject, frozen=True):
    """A port of all endpoints of an EndpointSlice, by the name it has in the Service. ``port`` None: any."""

    name: str = ""
    protocol: str = "TCP"
    port: int | None = None


class EndpointSlice(ApiObject, frozen=True):
    """An EndpointSlice: addresses behind a Service, with their ports.

    A live cluster is asked for that of ``default/kubernetes``, the API server's own addresses, and for those of Services without
    a selector where another engine's policies name Services.
    """

    metadata: ObjectMeta
    endpoints: tuple[Endpoint, ...] = ()
    ports: tuple[EndpointPort, ...] = ()

    @property
    def service(self) -> tuple[str, str]:
        """Namespace and name of the Service it is of; no name where it says none."""
        return self.metadata.namespace, self.metadata.labels.get(SERVICE_NAME, "")


class ServiceAccount(ApiObject, frozen=True):
    """A ServiceAccount; its ``eks.amazonaws.com/role-arn`` annotation is what IRSA goes by."""

    metadata: ObjectMeta
    automount_service_account_token: bool | None = None


class ConfigMap(ApiObject, frozen=True):
    """A ConfigMap that is read by name; ``data`` holds only the keys somebody reads."""

    metadata: ObjectMeta
    data: dict[str, str] = msgspec.field(default_factory=dict)
