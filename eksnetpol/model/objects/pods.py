"""Containers and pods. Labels and containers of pods stay undecoded until somebody asks; see `model/kubernetes.py`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import msgspec

from eksnetpol.model.objects.metadata import ApiObject, ObjectMeta, PodMeta

_NO_ITEMS = msgspec.Raw(b"[]")


class ContainerPort(ApiObject, frozen=True):
    """A declared port. ``host_port`` is 0 where none is asked for."""

    container_port: int
    name: str = ""
    protocol: str = "TCP"
    host_port: int = 0
    host_ip: str = msgspec.field(default="", name="hostIP")


class EnvVar(ApiObject, frozen=True):
    """An environment variable. ``value`` is None where it comes from elsewhere or was not let through.

    ``value_from`` is where it comes from, as read; it leaves with no snapshot.
    """

    name: str
    value: str | None = None
    value_from: dict[str, Any] | None = None


class VolumeMount(ApiObject, frozen=True):
    """Where a volume appears in a container."""

    name: str = ""
    mount_path: str = ""


class ProbePort(ApiObject, frozen=True):
    """The port a probe asks; a name, a number or (gRPC) a number."""

    port: int | str = 0


class Probe(ApiObject, frozen=True):
    """A liveness, readiness or start-up probe, as far as it crosses the network."""

    http_get: ProbePort | None = None
    tcp_socket: ProbePort | None = None
    grpc: ProbePort | None = None

    @property
    def crosses_network(self) -> bool:
        """True when the kubelet connects to the pod; an ``exec`` probe does not."""
        return self.http_get is not None or self.tcp_socket is not None or self.grpc is not None


class Resources(ApiObject, frozen=True):
    """Requests and limits as Kubernetes quantities in text, e.g. ``{"cpu": "25m"}``."""

    requests: dict[str, str | int | float] = msgspec.field(default_factory=dict)
    limits: dict[str, str | int | float] = msgspec.field(default_factory=dict)


class SecurityContext(ApiObject, frozen=True):
    """The part of a container's security context that decides whether eBPF programs can be loaded."""

    privileged: bool = False


class Container(ApiObject, frozen=True):
    """A container. ``env`` and ``args`` are filled only for the DaemonSets this tool reasons about."""

    name: str = ""
    image: str = ""
    ports: tuple[ContainerPort, ...] = ()
    args: tuple[str, ...] = ()
    env: tuple[EnvVar, ...] = ()
    volume_mounts: tuple[VolumeMount, ...] = ()
    resources: Resources = Resources()
    security_context: SecurityContext | None = None
    liveness_probe: Probe | None = None
    readiness_probe: Probe | None = None
    startup_probe: Probe | None = None
    restart_policy: str = ""

    @property
    def probes(self) -> tuple[Probe, ...]:
        """The probes it has."""
        return tuple(p for p in (self.liveness_probe, self.readiness_probe, self.startup_probe) if p is not None)


_LABELS = msgspec.json.Decoder(dict[str, str])
_CONTAINERS = msgspec.json.Decoder(tuple[Container, ...])


@lru_cache(maxsize=1 << 17)
def labels_of(raw: bytes) -> Mapping[str, str]:
    """Decode the labels of a pod. The result is shared by all pods with the same labels, so it cannot be changed."""
    return MappingProxyType(_LABELS.decode(raw) if raw != b"null" else {})


@lru_cache(maxsize=1 << 15)
def containers_of(raw: bytes) -> tuple[Container, ...]:
    """Decode the containers of a pod; shared by all pods that have the same."""
    return _CONTAINERS.decode(raw) if raw != b"null" else ()


class PodSpec(ApiObject, frozen=True):
    """What was asked for. Containers are undecoded JSON."""

    node_name: str = ""
    service_account_name: str = ""
    automount_service_account_token: bool | None = None
    host_network: bool = False
    containers: msgspec.Raw = _NO_ITEMS
    init_containers: msgspec.Raw = _NO_ITEMS


class ContainerState(ApiObject, frozen=True):
    """A waiting or terminated state's reason."""

    reason: str = ""
    message: str = ""
    exit_code: int | None = None
    finished_at: datetime | None = None


class ContainerStates(ApiObject, frozen=True):
    """The state a container is in, or was in before it restarted."""

    waiting: ContainerState | None = None
    terminated: ContainerState | None = None


class ContainerStatus(ApiObject, frozen=True):
    """How a container of an agent fares."""

    name: str = ""
    ready: bool = False
    restart_count: int = 0
    image: str = ""
    image_id: str = msgspec.field(default="", name="imageID")
    state: ContainerStates = ContainerStates()
    last_state: ContainerStates = ContainerStates()


class PodStatus(ApiObject, frozen=True):
    """What is."""

    phase: str = ""
    pod_ip: str = msgspec.field(default="", name="podIP")
    host_ip: str = msgspec.field(default="", name="hostIP")


class Pod(ApiObject, frozen=True):
    """A pod."""

    metadata: PodMeta
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()

    @property
    def name(self) -> str:
        """Its name."""
        return self.metadata.name

    @property
    def namespace(self) -> str:
        """Its namespace."""
        return self.metadata.namespace

    @property
    def labels(self) -> Mapping[str, str]:
        """Its labels."""
        return labels_of(bytes(self.metadata.labels))

    @property
    def containers(self) -> tuple[Container, ...]:
        """Its containers."""
        return containers_of(bytes(self.spec.containers))

    @property
    def init_containers(self) -> tuple[Container, ...]:
        """Its init containers."""
        return containers_of(bytes(self.spec.init_containers))

    @property
    def is_terminal(self) -> bool:
        """True when it has run to its end and will not run again."""
        return self.status.phase in {"Succeeded", "Failed"}


class AgentPodStatus(ApiObject, frozen=True):
    """Status of a pod that this tool looks at container by container."""

    phase: str = ""
    pod_ip: str = msgspec.field(default="", name="podIP")
    host_ip: str = msgspec.field(default="", name="hostIP")
    container_statuses: tuple[ContainerStatus, ...] = ()


class AgentPodSpec(ApiObject, frozen=True):
    """Where it runs and with which containers."""

    node_name: str = ""
    containers: tuple[Container, ...] = ()


class AgentPod(ApiObject, frozen=True):
    """A pod of the ``aws-node`` DaemonSet, with the state of each of its containers."""

    metadata: ObjectMeta
    spec: AgentPodSpec = AgentPodSpec()
    status: AgentPodStatus = AgentPodStatus()
