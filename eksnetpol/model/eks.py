"""What AWS says of a cluster: the parts of EKS, EC2, IAM and CloudWatch Logs answers that somebody reads.

The structs have the API's own member names, so an answer of botocore converts to them as it is.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec


class _Answer(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Frozen, and named as in the AWS APIs."""


class _Ec2Answer(msgspec.Struct, frozen=True, rename="pascal", omit_defaults=True):
    """EC2 and IAM write their members with a capital."""


class Toggle(_Answer, frozen=True):
    """Something that is on or off."""

    enabled: bool = False


class KubernetesNetworkConfig(_Answer, frozen=True):
    """``ip_family`` is ``ipv4`` or ``ipv6``; a cluster has one and keeps it."""

    ip_family: str = "ipv4"
    service_ipv4_cidr: str = ""
    service_ipv6_cidr: str = ""


class VpcConfig(_Answer, frozen=True):
    """Where the control plane's network interfaces are."""

    subnet_ids: tuple[str, ...] = ()
    security_group_ids: tuple[str, ...] = ()
    cluster_security_group_id: str = ""
    vpc_id: str = ""
    endpoint_public_access: bool = True
    endpoint_private_access: bool = False


class LogSetup(_Answer, frozen=True):
    """Control-plane log types that are on or off together."""

    types: tuple[str, ...] = ()
    enabled: bool = False


class Logging(_Answer, frozen=True):
    """Control-plane logging."""

    cluster_logging: tuple[LogSetup, ...] = ()


class Certificate(_Answer, frozen=True):
    """The control plane's CA, base64 of PEM."""

    data: str = ""


class RemoteNetworkConfig(_Answer, frozen=True):
    """Networks of hybrid nodes."""

    remote_node_networks: tuple[dict[str, Any], ...] = ()
    remote_pod_networks: tuple[dict[str, Any], ...] = ()


class Cluster(_Answer, frozen=True):
    """DescribeCluster.cluster."""

    name: str
    arn: str = ""
    version: str = ""
    platform_version: str = ""
    status: str = ""
    endpoint: str = ""
    certificate_authority: Certificate = Certificate()
    kubernetes_network_config: KubernetesNetworkConfig = KubernetesNetworkConfig()
    resources_vpc_config: VpcConfig = VpcConfig()
    logging: Logging = Logging()
    compute_config: Toggle | None = None
    remote_network_config: RemoteNetworkConfig | None = None
    tags: dict[str, str] = msgspec.field(default_factory=dict)
    created_at: datetime | None = None

    @property
    def has_auto_mode(self) -> bool:
        """True when EKS Auto Mode manages nodes of this cluster."""
        return self.compute_config is not None and self.compute_config.enabled


class AddonIssue(_Answer, frozen=True):
    """One of DescribeAddon.addon.health.issues."""

    code: str = ""
    message: str = ""
    resource_ids: tuple[str, ...] = ()


class AddonHealth(_Answer, frozen=True):
    """What EKS thinks is wrong with an add-on."""

    issues: tuple[AddonIssue, ...] = ()


class Addon(_Answer, frozen=True):
    """DescribeAddon.addon. ``configuration_values`` is one JSON or YAML text, empty where none was ever given."""

    addon_name: str
    addon_version: str = ""
    status: str = ""
    health: AddonHealth = AddonHealth()
    configuration_values: str = ""
    service_account_role_arn: str = ""
    pod_identity_associations: tuple[str, ...] = ()
    tags: dict[str, str] = msgspec.field(default_factory=dict)
    modified_at: datetime | None = None
    created_at: datetime | None = None


class Compatibility(_Answer, frozen=True):
    """Which Kubernetes version an add-on version suits, and whether it is that one's default."""

    cluster_version: str = ""
    platform_versions: tuple[str, ...] = ()
    default_version: bool = False


class AddonRelease(_Answer, frozen=True):
    """One of DescribeAddonVersions' versions."""

    addon_version: str
    compatibilities: tuple[Compatibility, ...] = ()
    architecture: tuple[str, ...] = ()


class AddonSchema(_Answer, frozen=True):
    """DescribeAddonConfiguration: ``configuration_schema`` is JSON Schema in a JSON text."""

    addon_version: str = ""
    configuration_schema: str = ""


class Nodegroup(_Answer, frozen=True):
    """DescribeNodegroup.nodegroup. ``release_version`` is e.g. ``1.29.0-20240129`` or a Bottlerocket version."""

    nodegroup_name: str
    status: str = ""
    version: str = ""
    release_version: str = ""
    ami_type: str = ""
    node_role: str = ""
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    instance_types: tuple[str, ...] = ()


class FargateSelector(_Answer, frozen=True):
    """Pods a Fargate profile takes: of a namespace (with ``*`` and ``?``), with these labels."""

    namespace: str = ""
    labels: dict[str, str] = msgspec.field(default_factory=dict)


class FargateProfile(_Answer, frozen=True):
    """DescribeFargateProfile.fargateProfile."""

    fargate_profile_name: str
    status: str = ""
    selectors: tuple[FargateSelector, ...] = ()


class PodIdentityAssociation(_Answer, frozen=True):
    """A role that pods of a service account get from the EKS Pod Identity agent."""

    namespace: str = ""
    service_account: str = ""
    association_id: str = ""
    association_arn: str = ""
    owner_arn: str = ""


class UpdateError(_Answer, frozen=True):
    """Why an update failed."""

    error_code: str = ""
    error_message: str = ""
    resource_ids: tuple[str, ...] = ()


class UpdateParam(_Answer, frozen=True):
    """One thing an update was to change."""

    type: str = ""
    value: str = ""


class Update(_Answer, frozen=True):
    """DescribeUpdate.update of the add-on."""

    id: str
    status: str = ""
    type: str = ""
    params: tuple[UpdateParam, ...] = ()
    errors: tuple[UpdateError, ...] = ()
    created_at: datetime | None = None


class InsightStatus(_Answer, frozen=True):
    """PASSING, WARNING, ERROR or UNKNOWN."""

    status: str = ""
    reason: str = ""


class Insight(_Answer, frozen=True):
    """One of ListInsights."""

    id: str
    name: str = ""
    category: str = ""
    kubernetes_version: str = ""
    description: str = ""
    insight_status: InsightStatus = InsightStatus()


class MetadataOptions(_Ec2Answer, frozen=True):
    """The instance metadata service of an instance."""

    http_endpoint: str = ""
    http_tokens: str = ""
    http_put_response_hop_limit: int = 0
    http_protocol_ipv6: str = ""


class Instance(_Ec2Answer, frozen=True):
    """An EC2 instance of DescribeInstances."""

    instance_id: str
    metadata_options: MetadataOptions = MetadataOptions()
    image_id: str = ""
    private_dns_name: str = ""


class Subnet(_Ec2Answer, frozen=True):
    """A subnet of DescribeSubnets; ``ipv6_cidrs`` is filled at the door."""

    subnet_id: str
    cidr_block: str = ""
    vpc_id: str = ""
    ipv6_cidrs: tuple[str, ...] = ()


class VpcEndpoint(_Ec2Answer, frozen=True):
    """An interface or gateway endpoint of DescribeVpcEndpoints."""

    vpc_endpoint_id: str = ""
    service_name: str = ""
    state: str = ""


class Vpc(_Ec2Answer, frozen=True):
    """The cluster's VPC; ``cidrs`` are all its IPv4 and IPv6 blocks, filled at the door."""

    vpc_id: str
    cidrs: tuple[str, ...] = ()


class LogStreams(_Answer, frozen=True):
    """The log group that policy verdicts go to: whether it exists, and how many of the agent's streams it has."""

    group: str
    exists: bool = False
    agent_streams: int = 0


class RoleAnswer(_Answer, frozen=True):
    """IAM's simulated answer for the role of the ``aws-node`` pods."""

    role_arn: str
    action: str
    allowed: bool


class Caller(_Answer, frozen=True):
    """GetCallerIdentity."""

    account: str = ""
    arn: str = ""
