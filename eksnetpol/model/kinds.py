"""Kinds of the Kubernetes API as this tool names them: where their objects are, and whether they have a namespace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import msgspec

from eksnetpol.errors import Bug
from eksnetpol.model.engine_kinds import ENGINE_KINDS
from eksnetpol.model.kind import Json, Kind

__all__ = ["Json", "Kind", "ObjectRef"]

_AWS = "networking.k8s.aws"

DAEMONSET = Kind("DaemonSet", "daemonsets", "apps")
DEPLOYMENT = Kind("Deployment", "deployments", "apps")
REPLICA_SET = Kind("ReplicaSet", "replicasets", "apps")
STATEFUL_SET = Kind("StatefulSet", "statefulsets", "apps")
JOB = Kind("Job", "jobs", "batch")
DISRUPTION_BUDGET = Kind("PodDisruptionBudget", "poddisruptionbudgets", "policy")
CONTROLLER_REVISION = Kind("ControllerRevision", "controllerrevisions", "apps")
CONFIGMAP = Kind("ConfigMap", "configmaps")
SERVICE = Kind("Service", "services")
ENDPOINT_SLICE = Kind("EndpointSlice", "endpointslices", "discovery.k8s.io")
SERVICE_ACCOUNT = Kind("ServiceAccount", "serviceaccounts")
POD = Kind("Pod", "pods")
NODE = Kind("Node", "nodes", namespaced=False)
NAMESPACE = Kind("Namespace", "namespaces", namespaced=False)
CLUSTER_ROLE = Kind("ClusterRole", "clusterroles", "rbac.authorization.k8s.io", namespaced=False)
CLUSTER_ROLE_BINDING = Kind("ClusterRoleBinding", "clusterrolebindings", "rbac.authorization.k8s.io", namespaced=False)
ROLE = Kind("Role", "roles", "rbac.authorization.k8s.io")
ROLE_BINDING = Kind("RoleBinding", "rolebindings", "rbac.authorization.k8s.io")
API_SERVICE = Kind("APIService", "apiservices", "apiregistration.k8s.io", namespaced=False)
VALIDATING_WEBHOOKS = Kind(
    "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", "admissionregistration.k8s.io", namespaced=False
)
MUTATING_WEBHOOKS = Kind(
    "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", "admissionregistration.k8s.io", namespaced=False
)
ADMISSION_POLICY = Kind(
    "ValidatingAdmissionPolicy", "validatingadmissionpolicies", "admissionregistration.k8s.io", namespaced=False
)
ADMISSION_BINDING = Kind(
    "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", "admissionregistration.k8s.io", namespaced=False
)
DEFINITION = Kind("CustomResourceDefinition", "customresourcedefinitions", "apiextensions.k8s.io", namespaced=False)
LEASE = Kind("Lease", "leases", "coordination.k8s.io")
NETWORK_POLICY = Kind("NetworkPolicy", "networkpolicies", "networking.k8s.io")
APPLICATION_POLICY = Kind("ApplicationNetworkPolicy", "applicationnetworkpolicies", _AWS, "v1alpha1")
CLUSTER_POLICY = Kind("ClusterNetworkPolicy", "clusternetworkpolicies", _AWS, "v1alpha1", namespaced=False)
POLICY_ENDPOINT = Kind("PolicyEndpoint", "policyendpoints", _AWS, "v1alpha1")
CLUSTER_POLICY_ENDPOINT = Kind("ClusterPolicyEndpoint", "clusterpolicyendpoints", _AWS, "v1alpha1", namespaced=False)
NODE_CLASS = Kind("NodeClass", "nodeclasses", "eks.amazonaws.com", namespaced=False)

BUILT_IN: tuple[Kind, ...] = (
    DAEMONSET, DEPLOYMENT, REPLICA_SET, STATEFUL_SET, JOB, DISRUPTION_BUDGET, CONTROLLER_REVISION, CONFIGMAP, SERVICE,
    ENDPOINT_SLICE, SERVICE_ACCOUNT, POD, NODE, NAMESPACE, CLUSTER_ROLE, CLUSTER_ROLE_BINDING, ROLE, ROLE_BINDING, API_SERVICE,
    VALIDATING_WEBHOOKS, MUTATING_WEBHOOKS, ADMISSION_POLICY, ADMISSION_BINDING, DEFINITION, LEASE, NETWORK_POLICY,
)  # fmt: skip
"""Kinds of the API server's own."""

KINDS: tuple[Kind, ...] = (
    *BUILT_IN, APPLICATION_POLICY, CLUSTER_POLICY, POLICY_ENDPOINT, CLUSTER_POLICY_ENDPOINT, NODE_CLASS, *ENGINE_KINDS,
)  # fmt: skip
"""Every kind that is written, or read whole."""

_BY_NAME: Mapping[tuple[str, str], Kind] = {(kind.api_version, kind.name): kind for kind in KINDS}


class ObjectRef(msgspec.Struct, frozen=True, order=True, rename="camel", omit_defaults=True):
    """Which object is meant. ``namespace`` is empty for kinds of the whole cluster."""

    api_version: str
    kind: str
    name: str
    namespace: str = ""

    @classmethod
    def of(cls, found: Json) -> Self:
        """Return what *found*, an object of the API, is called."""
        meta = found["metadata"]
        return cls(found["apiVersion"], found["kind"], meta["name"], meta.get("namespace", ""))

    @classmethod
    def to(cls, kind: Kind, name: str, namespace: str = "") -> Self:
        """Return the reference to an object of *kind*."""
        return cls(kind.api_version, kind.name, name, namespace)

    @property
    def of_kind(self) -> Kind:
        """Its kind; raises `Bug` for one that is not in `KINDS`."""
        known = _BY_NAME.get((self.api_version, self.kind))
        if known is None:
            raise Bug(f"{self.kind} of {self.api_version} is no kind that is written here")
        return known

    def __str__(self) -> str:
        """Return it as people say it: ``daemonset/kube-system/aws-node``."""
        return "/".join(filter(None, (self.kind.lower(), self.namespace, self.name)))
