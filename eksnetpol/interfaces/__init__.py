"""What the tool says to the world outside, and what the world says of progress: Protocols only.

Answers are model types, never an SDK's dictionaries. Every method raises `errors.Denied`, `errors.Unauthenticated`,
`errors.Unreachable`, `errors.TransientError`, `errors.NotFound` or `errors.UnreadableInput`, and nothing of an SDK.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from eksnetpol.model import eks
from eksnetpol.model import kubernetes as k8s
from eksnetpol.model import policies as pol
from eksnetpol.model.admin_policies import AdminPolicy
from eksnetpol.model.foreign import ForeignPolicy

Crds = tuple[k8s.CustomResourceDefinition, ...]
"""The kinds that the API server knows: they decide which custom kinds are asked for, and at which version."""


class Observer(Protocol):
    """Who is told how a look proceeds. Calls come from one thread, in the order things happen."""

    def started(self, total: int) -> None:
        """*total* sections are about to be asked for."""

    def progress(self, name: str, count: int) -> None:
        """*count* objects of section *name* have arrived so far."""

    def section(self, name: str, count: int) -> None:
        """Section *name* was read; it holds *count* objects (1 for a single value, 0 where there is none)."""

    def unread(self, name: str, reason: str) -> None:
        """Section *name* could not be read."""

    def finished(self) -> None:
        """Every section has been read or has failed."""


class SilentObserver:
    """Nobody is watching."""

    def started(self, total: int) -> None:
        """Say nothing."""

    def progress(self, name: str, count: int) -> None:
        """Say nothing."""

    def section(self, name: str, count: int) -> None:
        """Say nothing."""

    def unread(self, name: str, reason: str) -> None:
        """Say nothing."""

    def finished(self) -> None:
        """Say nothing."""


class AwsGateway(Protocol):
    """Questions to AWS. ``cluster`` is always a cluster's name."""

    def caller(self) -> eks.Caller:
        """Return who we are."""

    def describe_cluster(self, cluster: str) -> eks.Cluster:
        """Return the cluster; raise `NotFound` when this account and region have none of that name."""

    def list_addons(self, cluster: str) -> tuple[str, ...]:
        """Return the names of the add-ons EKS manages there."""

    def describe_addon(self, cluster: str, name: str) -> eks.Addon | None:
        """Return an add-on, or None where EKS does not manage it."""

    def addon_releases(self, name: str) -> tuple[eks.AddonRelease, ...]:
        """Return every version EKS offers of an add-on, for all Kubernetes versions."""

    def addon_schema(self, name: str, version: str) -> eks.AddonSchema | None:
        """Return the schema of an add-on version's configuration, or None where EKS no longer knows the version."""

    def addon_updates(self, cluster: str, name: str) -> tuple[eks.Update, ...]:
        """Return the updates of an add-on that EKS remembers, the newest first."""

    def nodegroups(self, cluster: str) -> tuple[eks.Nodegroup, ...]:
        """Return the managed node groups."""

    def fargate_profiles(self, cluster: str) -> tuple[eks.FargateProfile, ...]:
        """Return the Fargate profiles."""

    def pod_identities(self, cluster: str) -> tuple[eks.PodIdentityAssociation, ...]:
        """Return the EKS Pod Identity associations."""

    def pod_identity_role(self, cluster: str, association: str) -> str:
        """Return the ARN of the role an association hands out."""

    def insights(self, cluster: str) -> tuple[eks.Insight, ...]:
        """Return what EKS itself has noticed."""

    def instances(self, ids: Iterable[str]) -> tuple[eks.Instance, ...]:
        """Return those EC2 instances that still exist."""

    def instances_of(self, cluster: str) -> tuple[eks.Instance, ...]:
        """Return the EC2 instances tagged as the cluster's own."""

    def subnets(self, ids: Sequence[str]) -> tuple[eks.Subnet, ...]:
        """Return subnets."""

    def vpc(self, vpc_id: str) -> eks.Vpc:
        """Return a VPC with all its address blocks."""

    def vpc_endpoints(self, vpc_id: str) -> tuple[eks.VpcEndpoint, ...]:
        """Return a VPC's endpoints."""

    def log_streams(self, cluster: str) -> eks.LogStreams:
        """Return how far policy verdicts have got in CloudWatch Logs."""

    def simulate(self, role_arn: str, actions: Sequence[str], resources: Sequence[str]) -> tuple[eks.RoleAnswer, ...]:
        """Return IAM's answer for each action: may this principal do it to these resources?"""


class KubernetesGateway(Protocol):
    """Questions to one API server."""

    def server_version(self) -> str:
        """Return the version the API server gives, e.g. ``v1.33.4-eks-ba24e9c``."""

    def nodes(self) -> tuple[k8s.Node, ...]:
        """Return all nodes."""

    def namespaces(self) -> tuple[k8s.Namespace, ...]:
        """Return all namespaces."""

    def pods(self) -> tuple[k8s.Pod, ...]:
        """Return all pods, their containers without environment and arguments."""

    def agent_pods(self) -> tuple[k8s.AgentPod, ...]:
        """Return the pods of ``aws-node`` with the state of each container."""

    def daemonsets(self) -> tuple[k8s.Workload, ...]:
        """Return all DaemonSets."""

    def deployments(self) -> tuple[k8s.Workload, ...]:
        """Return all Deployments."""

    def statefulsets(self) -> tuple[k8s.Workload, ...]:
        """Return all StatefulSets."""

    def jobs(self) -> tuple[k8s.Workload, ...]:
        """Return all Jobs."""

    def cronjobs(self) -> tuple[k8s.Workload, ...]:
        """Return all CronJobs, with the template of the pods they make."""

    def disruption_budgets(self) -> tuple[k8s.DisruptionBudget, ...]:
        """Return all PodDisruptionBudgets."""

    def controller_revisions(self) -> tuple[k8s.ControllerRevision, ...]:
        """Return the stored templates of the ``aws-node`` DaemonSet."""

    def services(self) -> tuple[k8s.Service, ...]:
        """Return all Services."""

    def api_server_endpoints(self) -> tuple[k8s.EndpointSlice, ...]:
        """Return the EndpointSlice behind ``default/kubernetes``."""

    def endpoint_slices(self, services: Iterable[k8s.Service]) -> tuple[k8s.EndpointSlice, ...]:
        """Return the EndpointSlices of *services*; one without endpoints for a Service that has none."""

    def service_accounts(self) -> tuple[k8s.ServiceAccount, ...]:
        """Return all ServiceAccounts."""

    def configmaps(self) -> tuple[k8s.ConfigMap, ...]:
        """Return the few ConfigMaps that are read by name, with the keys that are read."""

    def crds(self) -> tuple[k8s.CustomResourceDefinition, ...]:
        """Return all CustomResourceDefinitions."""

    def cluster_roles(self) -> tuple[k8s.ClusterRole, ...]:
        """Return the ClusterRoles of the agent and of the policy controller, those there are."""

    def cluster_role_bindings(self) -> tuple[k8s.ClusterRoleBinding, ...]:
        """Return the ClusterRoleBindings of the agent and of the policy controller, those there are."""

    def agent_access(self) -> tuple[k8s.AccessReview, ...]:
        """Return what the API server would let the agent's service account do."""

    def webhooks(self) -> tuple[k8s.WebhookConfiguration, ...]:
        """Return all validating and mutating webhook configurations."""

    def admission_policies(self) -> tuple[k8s.AdmissionPolicy, ...]:
        """Return all ValidatingAdmissionPolicies; none where the API server does not serve the kind."""

    def admission_bindings(self) -> tuple[k8s.AdmissionPolicyBinding, ...]:
        """Return all ValidatingAdmissionPolicyBindings; none where the API server does not serve the kind."""

    def api_services(self) -> tuple[k8s.ApiService, ...]:
        """Return all APIServices."""

    def network_policies(self) -> tuple[pol.NetworkPolicy, ...]:
        """Return all NetworkPolicies."""

    def application_policies(self, crds: Crds) -> tuple[pol.NetworkPolicy, ...]:
        """Return all ApplicationNetworkPolicies."""

    def cluster_policies(self, crds: Crds) -> tuple[pol.ClusterNetworkPolicy, ...]:
        """Return all ClusterNetworkPolicies of ``networking.k8s.aws``."""

    def admin_policies(self, crds: Crds) -> tuple[AdminPolicy, ...]:
        """Return all policies of ``policy.networking.k8s.io``."""

    def policy_endpoints(self, crds: Crds) -> tuple[pol.PolicyEndpoint, ...]:
        """Return all PolicyEndpoints."""

    def cluster_policy_endpoints(self, crds: Crds) -> tuple[pol.PolicyEndpoint, ...]:
        """Return all ClusterPolicyEndpoints."""

    def security_group_policies(self, crds: Crds) -> tuple[k8s.CustomObject, ...]:
        """Return all SecurityGroupPolicies."""

    def eni_configs(self, crds: Crds) -> tuple[k8s.CustomObject, ...]:
        """Return all ENIConfigs."""

    def network_attachments(self, crds: Crds) -> tuple[k8s.CustomObject, ...]:
        """Return all NetworkAttachmentDefinitions, without their configuration."""

    def node_classes(self, crds: Crds) -> tuple[k8s.CustomObject, ...]:
        """Return the NodeClasses of EKS Auto Mode."""

    def engine_settings(self, crds: Crds) -> tuple[k8s.CustomObject, ...]:
        """Return the settings of Calico: Installations of its operator and FelixConfigurations."""

    def admission_engines(self, crds: Crds) -> tuple[k8s.CustomObject, ...]:
        """Return Kyverno's ClusterPolicies and Gatekeeper's constraints."""

    def scrapers(self, crds: Crds) -> tuple[k8s.CustomObject, ...]:
        """Return ServiceMonitors and PodMonitors, of their spec only the ports."""

    def foreign_kinds(self, crds: Crds) -> tuple[k8s.KindCount, ...]:
        """Return how many objects there are of other engines' policy kinds."""

    def foreign_policies(self, crds: Crds) -> tuple[ForeignPolicy, ...]:
        """Return the policies of other engines, and what these refer to, as they were written."""

    def may(
        self, verb: str, resource: str, *, group: str = "", name: str = "", path: str = "", namespace: str = ""
    ) -> bool:
        """Say whether we may do that, in every namespace or in *namespace*; *path* asks about a path instead of a resource."""
