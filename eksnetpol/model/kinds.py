"""Kinds of the Kubernetes API as this tool names them: where their objects are, and whether they have a namespace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import msgspec

from eksnetpol.errors import Bug

Json = dict[str, Any]
"""An object of the API in its own JSON, whole."""


class Kind(msgspec.Struct, frozen=True, order=True):
    """A kind with its group and version, and the word its paths and its RBAC rules use."""

    name: str
    plural: str
    group: str = ""
    version: str = "v1"
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """What objects say of it: ``apps/v1``."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def __str__(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural


_AWS = "networking.k8s.aws"

DAEMONSET = Kind("DaemonSet", "daemonsets", "apps")
CONTROLLER_REVISION = Kind("ControllerRevision", "controllerrevisions", "apps")
CONFIGMAP = Kind("ConfigMap", "configmaps")
SERVICE_ACCOUNT = Kind("ServiceAccount", "serviceaccounts")
POD = Kind("Pod", "pods")
NODE = Kind("Node", "nodes", namespaced=False)
NAMESPACE = Kind("Namespace", "namespaces", namespaced=False)
CLUSTER_ROLE = Kind("ClusterRole", "clusterroles", "rbac.authorization.k8s.io", namespaced=False)
CLUSTER_ROLE_BINDING = Kind("ClusterRoleBinding", "clusterrolebindings", "rbac.authorization.k8s.io", namespaced=False)
DEFINITION = Kind("CustomResourceDefinition", "customresourcedefinitions", "apiextensions.k8s.io", namespaced=False)
LEASE = Kind("Lease", "leases", "coordination.k8s.io")
NETWORK_POLICY = Kind("NetworkPolicy", "networkpolicies", "networking.k8s.io")
APPLICATION_POLICY = Kind("ApplicationNetworkPolicy", "applicationnetworkpolicies", _AWS, "v1alpha1")
CLUSTER_POLICY = Kind("ClusterNetworkPolicy", "clusternetworkpolicies", _AWS, "v1alpha1", namespaced=False)
POLICY_ENDPOINT = Kind("PolicyEndpoint", "policyendpoints", _AWS, "v1alpha1")
CLUSTER_POLICY_ENDPOINT = Kind("ClusterPolicyEndpoint", "clusterpolicyendpoints", _AWS, "v1alpha1", namespaced=False)
NODE_CLASS = Kind("NodeClass", "nodeclasses", "eks.amazonaws.com", namespaced=False)

KINDS: tuple[Kind, ...] = (
    DAEMONSET, CONTROLLER_REVISION, CONFIGMAP, SERVICE_ACCOUNT, POD, NODE, NAMESPACE, CLUSTER_ROLE, CLUSTER_ROLE_BINDING,
    DEFINITION, LEASE, NETWORK_POLICY, APPLICATION_POLICY, CLUSTER_POLICY, POLICY_ENDPOINT, CLUSTER_POLICY_ENDPOINT, NODE_CLASS,
)  # fmt: skip
"""Every kind that is written, or read whole. Other engines' kinds are of `engines/`."""

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
