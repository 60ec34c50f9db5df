"""Kubernetes objects as far as somebody reads them: they decode straight from the API's JSON.

Fields that nobody reads are not here, so the decoder skips them without building anything; that is what makes a list of
100,000 pods cheap. Labels and containers of *pods* stay undecoded JSON (`msgspec.Raw`): the pods of one workload share them to
the byte, so they are decoded once per workload and not once per pod (`Pod.labels`, `Pod.containers`).

Values never hold Secrets, environment values (but those that `gateways/sanitize.py` lets through for the DaemonSets that this
tool reasons about) or annotations that no check reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import msgspec

from eksnetpol.model.selectors import LabelSelector

_NOTHING = msgspec.Raw(b"{}")
_NO_ITEMS = msgspec.Raw(b"[]")


class ApiObject(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """What all structs here have in common: frozen, named as in the API, and invisible to the cyclic collector."""


# --- metadata ---------------------------------------------------------------------------------------------------------


class OwnerReference(ApiObject, frozen=True):
    """Who an object belongs to."""

    kind: str = ""
    name: str = ""
    uid: str = ""
    api_version: str = ""
    controller: bool = False


class ManagedField(ApiObject, frozen=True):
    """One manager's share of an object. ``fields_v1`` is kept only where ownership per field matters."""

    manager: str = ""
    operation: str = ""
    subresource: str = ""
    time: datetime | None = None
    fields_v1: dict[str, Any] | None = msgspec.field(default=None, name="fieldsV1")


class ObjectMeta(ApiObject, frozen=True):
    """Metadata of everything but pods."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    annotations: dict[str, str] = msgspec.field(default_factory=dict)
    owner_references: tuple[OwnerReference, ...] = ()
    finalizers: tuple[str, ...] = ()
    generation: int = 0
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    managed_fields: tuple[ManagedField, ...] = ()


class PodMeta(ApiObject, frozen=True):
    """Metadata of a pod, its labels undecoded."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    labels: msgspec.Raw = _NOTHING
    annotations: dict[str, str] = msgspec.field(default_factory=dict)
    owner_references: tuple[OwnerReference, ...] = ()
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None


# --- containers and pods ----------------------------------------------------------------------------------------------


class ContainerPort(ApiObject, frozen=True):
    """A declared port. ``host_port`` is 0 where none is asked for."""

    container_port: int
    name: str = ""
    protocol: str = "TCP"
    host_port: int = 0
    host_ip: str = msgspec.field(default="", name="hostIP")


class EnvVar(ApiObject, frozen=True):
    """An environment variable. ``value`` is None where it comes from elsewhere or was not let through."""

    name: str
    value: str | None = None


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


# --- nodes and namespaces ---------------------------------------------------------------------------------------------


class NodeInfo(ApiObject, frozen=True):
    """What the kubelet says of its machine."""

    kernel_version: str = ""
    os_image: str = ""
    kubelet_version: str = ""
    operating_system: str = ""
    architecture: str = ""


class Condition(ApiObject, frozen=True):
    """A condition of any object."""

    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""
    last_transition_time: datetime | None = None


class NodeAddress(ApiObject, frozen=True):
    """An address of a node; ``type`` is InternalIP, ExternalIP, Hostname, …"""

    type: str = ""
    address: str = ""


class NodeSpec(ApiObject, frozen=True):
    """``provider_id`` ends in the EC2 instance id: ``aws:///us-west-2a/i-0123``."""

    provider_id: str = msgspec.field(default="", name="providerID")
    unschedulable: bool = False


class NodeStatus(ApiObject, frozen=True):
    """What the node is and can hold."""

    node_info: NodeInfo = NodeInfo()
    allocatable: dict[str, str] = msgspec.field(default_factory=dict)
    conditions: tuple[Condition, ...] = ()
    addresses: tuple[NodeAddress, ...] = ()


class Node(ApiObject, frozen=True):
    """A node."""

    metadata: ObjectMeta
    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()

    @property
    def name(self) -> str:
        """Its name."""
        return self.metadata.name


class NamespaceStatus(ApiObject, frozen=True):
    """``Active`` or ``Terminating``, with the conditions that say what a termination waits for."""

    phase: str = ""
    conditions: tuple[Condition, ...] = ()


class NamespaceSpec(ApiObject, frozen=True):
    """Finalizers that hold a terminating namespace."""

    finalizers: tuple[str, ...] = ()


class Namespace(ApiObject, frozen=True):
    """A namespace."""

    metadata: ObjectMeta
    spec: NamespaceSpec = NamespaceSpec()
    status: NamespaceStatus = NamespaceStatus()

    @property
    def name(self) -> str:
        """Its name."""
        return self.metadata.name


# --- workloads --------------------------------------------------------------------------------------------------------


class HostPath(ApiObject, frozen=True):
    """A host path."""

    path: str = ""


class Volume(ApiObject, frozen=True):
    """A volume; only host paths matter here."""

    name: str = ""
    host_path: HostPath | None = None


class TemplateSpec(ApiObject, frozen=True):
    """The pod a workload makes."""

    service_account_name: str = ""
    automount_service_account_token: bool | None = None
    host_network: bool = False
    node_selector: dict[str, str] = msgspec.field(default_factory=dict)
    affinity: dict[str, Any] = msgspec.field(default_factory=dict)
    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()
    volumes: tuple[Volume, ...] = ()


class Template(ApiObject, frozen=True):
    """Metadata and spec of the pods a workload makes."""

    metadata: ObjectMeta = ObjectMeta()
    spec: TemplateSpec = TemplateSpec()


class UpdateStrategy(ApiObject, frozen=True):
    """``RollingUpdate`` or ``OnDelete``."""

    type: str = ""


class WorkloadSpec(ApiObject, frozen=True):
    """What the workload kinds have in common. ``replicas`` is None where the kind has none or the API's default is meant."""

    selector: LabelSelector | None = None
    template: Template = Template()
    replicas: int | None = None
    update_strategy: UpdateStrategy = UpdateStrategy()
    ttl_seconds_after_finished: int | None = None


class WorkloadStatus(ApiObject, frozen=True):
    """Counters of DaemonSets and of Deployments; each kind fills its own."""

    observed_generation: int = 0
    desired_number_scheduled: int = 0
    current_number_scheduled: int = 0
    updated_number_scheduled: int = 0
    number_ready: int = 0
    number_available: int = 0
    replicas: int = 0
    ready_replicas: int = 0


class Workload(ApiObject, frozen=True):
    """A DaemonSet, Deployment, StatefulSet, ReplicaSet or Job. ``kind`` is filled at the door: lists do not carry it."""

    metadata: ObjectMeta
    kind: str = ""
    spec: WorkloadSpec = WorkloadSpec()
    status: WorkloadStatus = WorkloadStatus()

    @property
    def name(self) -> str:
        """Its name."""
        return self.metadata.name

    @property
    def namespace(self) -> str:
        """Its namespace."""
        return self.metadata.namespace

    @property
    def containers(self) -> tuple[Container, ...]:
        """The containers of its pods."""
        return self.spec.template.spec.containers

    def container(self, *names: str) -> Container | None:
        """Return the first container with one of *names*: positions differ between installs, names do not."""
        return next((c for c in self.containers if c.name in names), None)


class ControllerRevision(ApiObject, frozen=True):
    """One stored template of a DaemonSet; ``images`` is filled at the door from its data, as ``container=image``."""

    metadata: ObjectMeta
    revision: int = 0
    images: tuple[str, ...] = ()


# --- services, configuration ------------------------------------------------------------------------------------------


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


class Service(ApiObject, frozen=True):
    """A Service."""

    metadata: ObjectMeta
    spec: ServiceSpec = ServiceSpec()

    @property
    def name(self) -> str:
        """Its name."""
        return self.metadata.name

    @property
    def namespace(self) -> str:
        """Its namespace."""
        return self.metadata.namespace

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


# --- API machinery ----------------------------------------------------------------------------------------------------


class CrdNames(ApiObject, frozen=True):
    """Names of a custom resource."""

    plural: str = ""
    kind: str = ""


class CrdVersion(ApiObject, frozen=True):
    """A version of a custom resource."""

    name: str = ""
    served: bool = False
    storage: bool = False


class CrdSpec(ApiObject, frozen=True):
    """What a CustomResourceDefinition defines. ``schema_digest`` is filled at the door for ``networking.k8s.aws``."""

    group: str = ""
    names: CrdNames = CrdNames()
    scope: str = ""
    versions: tuple[CrdVersion, ...] = ()
    schema_digest: str = ""


class CrdStatus(ApiObject, frozen=True):
    """Whether it is served."""

    conditions: tuple[Condition, ...] = ()


class CustomResourceDefinition(ApiObject, frozen=True):
    """A CustomResourceDefinition without its schemas."""

    metadata: ObjectMeta
    spec: CrdSpec = CrdSpec()
    status: CrdStatus = CrdStatus()

    @property
    def name(self) -> str:
        """Its name, ``plural.group``."""
        return self.metadata.name

    @property
    def is_established(self) -> bool:
        """True when the API server serves it."""
        return any(c.type == "Established" and c.status == "True" for c in self.status.conditions)


class PolicyRule(ApiObject, frozen=True):
    """A rule of RBAC."""

    api_groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    non_resource_ur_ls: tuple[str, ...] = msgspec.field(default=(), name="nonResourceURLs")


class ClusterRole(ApiObject, frozen=True):
    """A ClusterRole that is read by name."""

    metadata: ObjectMeta
    rules: tuple[PolicyRule, ...] = ()


class RoleRef(ApiObject, frozen=True):
    """The role a binding grants."""

    kind: str = ""
    name: str = ""


class RbacSubject(ApiObject, frozen=True):
    """Who a binding grants it to."""

    kind: str = ""
    name: str = ""
    namespace: str = ""


class ClusterRoleBinding(ApiObject, frozen=True):
    """A ClusterRoleBinding that is read by name."""

    metadata: ObjectMeta
    role_ref: RoleRef = RoleRef()
    subjects: tuple[RbacSubject, ...] = ()


class WebhookServiceRef(ApiObject, frozen=True):
    """The Service a webhook or an APIService is served by."""

    namespace: str = ""
    name: str = ""
    port: int = 443


class WebhookClientConfig(ApiObject, frozen=True):
    """How the API server reaches a webhook."""

    service: WebhookServiceRef | None = None
    url: str = ""


class WebhookRule(ApiObject, frozen=True):
    """What a webhook or an admission policy is asked about."""

    api_groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    scope: str = ""


class Webhook(ApiObject, frozen=True):
    """One webhook of a configuration."""

    name: str = ""
    failure_policy: str = "Fail"
    rules: tuple[WebhookRule, ...] = ()
    namespace_selector: LabelSelector = LabelSelector()
    object_selector: LabelSelector = LabelSelector()
    match_conditions: tuple[dict[str, str], ...] = ()
    client_config: WebhookClientConfig = WebhookClientConfig()


class WebhookConfiguration(ApiObject, frozen=True):
    """A validating or mutating webhook configuration; ``kind`` is filled at the door."""

    metadata: ObjectMeta
    kind: str = ""
    webhooks: tuple[Webhook, ...] = ()


class MatchConstraints(ApiObject, frozen=True):
    """What an admission policy is asked about."""

    resource_rules: tuple[WebhookRule, ...] = ()
    exclude_resource_rules: tuple[WebhookRule, ...] = ()
    namespace_selector: LabelSelector = LabelSelector()


class AdmissionPolicySpec(ApiObject, frozen=True):
    """A ValidatingAdmissionPolicy's spec as far as it can block."""

    failure_policy: str = "Fail"
    match_constraints: MatchConstraints = MatchConstraints()
    match_conditions: tuple[dict[str, str], ...] = ()


class AdmissionPolicy(ApiObject, frozen=True):
    """A ValidatingAdmissionPolicy."""

    metadata: ObjectMeta
    spec: AdmissionPolicySpec = AdmissionPolicySpec()


class AdmissionPolicyBindingSpec(ApiObject, frozen=True):
    """Which policy a binding puts in force, and how."""

    policy_name: str = ""
    validation_actions: tuple[str, ...] = ()
    match_resources: MatchConstraints = MatchConstraints()


class AdmissionPolicyBinding(ApiObject, frozen=True):
    """A ValidatingAdmissionPolicyBinding."""

    metadata: ObjectMeta
    spec: AdmissionPolicyBindingSpec = AdmissionPolicyBindingSpec()


class ApiServiceSpec(ApiObject, frozen=True):
    """An aggregated API: ``service`` is None for those the API server itself serves."""

    group: str = ""
    version: str = ""
    service: WebhookServiceRef | None = None


class ApiServiceStatus(ApiObject, frozen=True):
    """Whether it answers."""

    conditions: tuple[Condition, ...] = ()


class ApiService(ApiObject, frozen=True):
    """An APIService."""

    metadata: ObjectMeta
    spec: ApiServiceSpec = ApiServiceSpec()
    status: ApiServiceStatus = ApiServiceStatus()


class CustomObject(ApiObject, frozen=True):
    """An object of somebody else's kind, with as much of its spec as the checks look at."""

    api_version: str = ""
    kind: str = ""
    metadata: ObjectMeta = ObjectMeta()
    spec: dict[str, Any] = msgspec.field(default_factory=dict)
    status: dict[str, Any] = msgspec.field(default_factory=dict)


class KindCount(ApiObject, frozen=True):
    """How many objects of a kind there are, and the first few by name; for kinds whose content decides nothing here."""

    group: str
    kind: str
    plural: str
    count: int
    examples: tuple[str, ...] = ()


class AccessReview(ApiObject, frozen=True):
    """The API server's answer to: may this user do that?"""

    user: str
    verb: str
    allowed: bool
    group: str = ""
    resource: str = ""
    path: str = ""
    reason: str = ""
