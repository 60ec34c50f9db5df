"""One look at a cluster: what was seen, and what could not be.

Each section is `Seen` or `Unread`. A refused permission, an unreachable API or a kind that a set of files does not mention is a
fact that travels to the report; it is never an empty list. `Seen.complete` is False where only some of the objects are known
to be there (files name what they name, and say nothing of the rest): nothing found there proves nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Generic, TypeVar

import msgspec

from eksnetpol.model import eks
from eksnetpol.model import kubernetes as k8s
from eksnetpol.model import policies as pol
from eksnetpol.model.admin_policies import AdminPolicy
from eksnetpol.model.foreign import ForeignPolicy

T = TypeVar("T")

SCHEMA_VERSION = 1
"""Raised when a snapshot of an older reader would be misread; a reader refuses what is newer than itself."""


class Why(StrEnum):
    """Why a section is unread; decides what the person can do about it.

    ``ABSENT`` is for facts alone: what they are about is known not to be there, so questions about it do not arise.
    """

    DENIED = "denied"
    UNREACHABLE = "unreachable"
    NOT_ASKED = "not-asked"
    NOT_IN_FILES = "not-in-files"
    UNREADABLE = "unreadable"
    ABSENT = "absent"


class Seen(msgspec.Struct, Generic[T], frozen=True, tag="seen", tag_field="state", omit_defaults=True):
    """A section that was read."""

    value: T
    complete: bool = True


class Unread(msgspec.Struct, frozen=True, tag="unread", tag_field="state", omit_defaults=True, rename="camel"):
    """A section that was not read. ``permission`` names what was missing where that is the reason."""

    reason: str
    why: Why = Why.NOT_ASKED
    permission: str = ""


NOT_ASKED = Unread("this snapshot was taken without asking for it")


class Origin(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where an object was read from: a file and the line its document starts at (1 is the first)."""

    file: str
    line: int = 1


class SourceKind(StrEnum):
    """What was looked at."""

    LIVE = "live"
    MANIFESTS = "manifests"
    SIMULATION = "simulation"


class Target(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """Which cluster this is, as far as it is known. ``context`` is the kubeconfig context that was used, if one was."""

    cluster: str = ""
    region: str = ""
    account: str = ""
    arn: str = ""
    server: str = ""
    context: str = ""

    @property
    def title(self) -> str:
        """What to call it in a heading."""
        return self.cluster or self.context or self.server or "manifests"


class ClusterSnapshot(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """Everything one look found. The name of a field is the name a check asks for it by."""

    taken_at: datetime = datetime.fromtimestamp(0, UTC)
    source: SourceKind = SourceKind.LIVE
    target: Target = Target()
    origins: dict[str, Origin] = msgspec.field(default_factory=dict)

    # AWS
    caller: Seen[eks.Caller] | Unread = NOT_ASKED
    cluster: Seen[eks.Cluster] | Unread = NOT_ASKED
    addons: Seen[tuple[str, ...]] | Unread = NOT_ASKED
    addon: Seen[eks.Addon | None] | Unread = NOT_ASKED
    addon_releases: Seen[tuple[eks.AddonRelease, ...]] | Unread = NOT_ASKED
    addon_schema: Seen[eks.AddonSchema | None] | Unread = NOT_ASKED
    addon_updates: Seen[tuple[eks.Update, ...]] | Unread = NOT_ASKED
    nodegroups: Seen[tuple[eks.Nodegroup, ...]] | Unread = NOT_ASKED
    fargate_profiles: Seen[tuple[eks.FargateProfile, ...]] | Unread = NOT_ASKED
    pod_identities: Seen[tuple[eks.PodIdentityAssociation, ...]] | Unread = NOT_ASKED
    insights: Seen[tuple[eks.Insight, ...]] | Unread = NOT_ASKED
    instances: Seen[tuple[eks.Instance, ...]] | Unread = NOT_ASKED
    subnets: Seen[tuple[eks.Subnet, ...]] | Unread = NOT_ASKED
    vpc: Seen[eks.Vpc] | Unread = NOT_ASKED
    vpc_endpoints: Seen[tuple[eks.VpcEndpoint, ...]] | Unread = NOT_ASKED
    log_streams: Seen[eks.LogStreams] | Unread = NOT_ASKED
    log_permissions: Seen[tuple[eks.RoleAnswer, ...]] | Unread = NOT_ASKED

    # Kubernetes: what the control plane says
    server_version: Seen[str] | Unread = NOT_ASKED
    nodes: Seen[tuple[k8s.Node, ...]] | Unread = NOT_ASKED
    namespaces: Seen[tuple[k8s.Namespace, ...]] | Unread = NOT_ASKED
    pods: Seen[tuple[k8s.Pod, ...]] | Unread = NOT_ASKED
    agent_pods: Seen[tuple[k8s.AgentPod, ...]] | Unread = NOT_ASKED
    daemonsets: Seen[tuple[k8s.Workload, ...]] | Unread = NOT_ASKED
    deployments: Seen[tuple[k8s.Workload, ...]] | Unread = NOT_ASKED
    statefulsets: Seen[tuple[k8s.Workload, ...]] | Unread = NOT_ASKED
    jobs: Seen[tuple[k8s.Workload, ...]] | Unread = NOT_ASKED
    cronjobs: Seen[tuple[k8s.Workload, ...]] | Unread = NOT_ASKED
    disruption_budgets: Seen[tuple[k8s.DisruptionBudget, ...]] | Unread = NOT_ASKED
    controller_revisions: Seen[tuple[k8s.ControllerRevision, ...]] | Unread = NOT_ASKED
    services: Seen[tuple[k8s.Service, ...]] | Unread = NOT_ASKED
    api_server_endpoints: Seen[tuple[k8s.EndpointSlice, ...]] | Unread = NOT_ASKED
    service_accounts: Seen[tuple[k8s.ServiceAccount, ...]] | Unread = NOT_ASKED
    configmaps: Seen[tuple[k8s.ConfigMap, ...]] | Unread = NOT_ASKED
    crds: Seen[tuple[k8s.CustomResourceDefinition, ...]] | Unread = NOT_ASKED
    cluster_roles: Seen[tuple[k8s.ClusterRole, ...]] | Unread = NOT_ASKED
    cluster_role_bindings: Seen[tuple[k8s.ClusterRoleBinding, ...]] | Unread = NOT_ASKED
    agent_access: Seen[tuple[k8s.AccessReview, ...]] | Unread = NOT_ASKED
    webhooks: Seen[tuple[k8s.WebhookConfiguration, ...]] | Unread = NOT_ASKED
    admission_policies: Seen[tuple[k8s.AdmissionPolicy, ...]] | Unread = NOT_ASKED
    admission_bindings: Seen[tuple[k8s.AdmissionPolicyBinding, ...]] | Unread = NOT_ASKED
    api_services: Seen[tuple[k8s.ApiService, ...]] | Unread = NOT_ASKED

    # Policies, of the standard kinds and of AWS's own
    network_policies: Seen[tuple[pol.NetworkPolicy, ...]] | Unread = NOT_ASKED
    application_policies: Seen[tuple[pol.NetworkPolicy, ...]] | Unread = NOT_ASKED
    cluster_policies: Seen[tuple[pol.ClusterNetworkPolicy, ...]] | Unread = NOT_ASKED
    admin_policies: Seen[tuple[AdminPolicy, ...]] | Unread = NOT_ASKED
    policy_endpoints: Seen[tuple[pol.PolicyEndpoint, ...]] | Unread = NOT_ASKED
    cluster_policy_endpoints: Seen[tuple[pol.PolicyEndpoint, ...]] | Unread = NOT_ASKED

    # Kinds of others that change what a policy does
    security_group_policies: Seen[tuple[k8s.CustomObject, ...]] | Unread = NOT_ASKED
    eni_configs: Seen[tuple[k8s.CustomObject, ...]] | Unread = NOT_ASKED
    network_attachments: Seen[tuple[k8s.CustomObject, ...]] | Unread = NOT_ASKED
    node_classes: Seen[tuple[k8s.CustomObject, ...]] | Unread = NOT_ASKED
    engine_settings: Seen[tuple[k8s.CustomObject, ...]] | Unread = NOT_ASKED
    admission_engines: Seen[tuple[k8s.CustomObject, ...]] | Unread = NOT_ASKED
    scrapers: Seen[tuple[k8s.CustomObject, ...]] | Unread = NOT_ASKED
    foreign_kinds: Seen[tuple[k8s.KindCount, ...]] | Unread = NOT_ASKED
    foreign_policies: Seen[tuple[ForeignPolicy, ...]] | Unread = NOT_ASKED
    endpoint_slices: Seen[tuple[k8s.EndpointSlice, ...]] | Unread = NOT_ASKED


HEADER = ("taken_at", "source", "target", "origins")
"""Fields of a snapshot that are no sections."""

SECTIONS: tuple[str, ...] = tuple(name for name in ClusterSnapshot.__struct_fields__ if name not in HEADER)
"""The names of all sections, in the order they are declared."""


class UnreadSection(msgspec.Struct, frozen=True):
    """The name of a section that was not read, and why."""

    name: str
    unread: Unread


def unread_sections(snapshot: ClusterSnapshot) -> tuple[UnreadSection, ...]:
    """Return the sections of *snapshot* that were not read, in their order."""
    pairs = ((name, getattr(snapshot, name)) for name in SECTIONS)
    return tuple(UnreadSection(name, section) for name, section in pairs if isinstance(section, Unread))
