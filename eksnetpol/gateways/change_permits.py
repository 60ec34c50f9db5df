"""Which objects are touched by commands that change a cluster, as permissions: by name wherever a name is known.

RBAC knows no names for *create* by POST, for the name is in the body (kubernetes.io, "Referring to resources"). A server-side
apply that creates has it in its path, so there the name holds. Policies have any name; NodeClasses of EKS Auto Mode too.
"""

from __future__ import annotations

from eksnetpol.gateways.permits import CHANGING, MIGRATING, RbacPermission, rbac
from eksnetpol.model import kinds
from eksnetpol.model.kinds import Kind

ACTING = (*CHANGING, *MIGRATING)
"""Commands that act, or watch what acts."""

SYSTEM = "kube-system"
AWS_NODE, SWITCH, LEASE_NAME = "aws-node", "amazon-vpc-cni", "eksnetpol"

POLICIES = (kinds.NETWORK_POLICY, kinds.APPLICATION_POLICY, kinds.CLUSTER_POLICY)
ENDPOINTS = (kinds.POLICY_ENDPOINT, kinds.CLUSTER_POLICY_ENDPOINT)

DEFINITIONS = (
    *(str(kind) for kind in (*ENDPOINTS, kinds.APPLICATION_POLICY, kinds.CLUSTER_POLICY)),
    "eniconfigs.crd.k8s.amazonaws.com",
)
"""Every definition that a VPC CNI brings with it, or that its agent needs."""


def _on(verb: str, kind: Kind, *names: str) -> RbacPermission:
    namespace = SYSTEM if kind.namespaced and kind not in POLICIES and kind not in ENDPOINTS else ""
    return rbac(verb, kind.plural, kind.group, names, namespace=namespace)


def _install(verb: str) -> tuple[RbacPermission, ...]:
    """Return *verb* on what a VPC CNI is made of."""
    return (
        _on(verb, kinds.DAEMONSET, AWS_NODE),
        _on(verb, kinds.CONFIGMAP, SWITCH),
        _on(verb, kinds.SERVICE_ACCOUNT, AWS_NODE),
        _on(verb, kinds.CLUSTER_ROLE, AWS_NODE),
        _on(verb, kinds.CLUSTER_ROLE_BINDING, AWS_NODE),
        _on(verb, kinds.DEFINITION, *DEFINITIONS),
    )


def _each(verb: str, of: tuple[Kind, ...]) -> tuple[RbacPermission, ...]:
    return tuple(_on(verb, kind) for kind in of)


READ = (*_install("get"), _on("get", kinds.NODE_CLASS), _on("get", kinds.LEASE, LEASE_NAME))
READ_POLICIES = _each("get", (*POLICIES, *ENDPOINTS))
LISTED = (
    _on("list", kinds.POD),
    rbac("list", kinds.NODE.plural),
    _on("list", kinds.CONTROLLER_REVISION),
    _on("list", kinds.NODE_CLASS),
    *_each("list", (*POLICIES, *ENDPOINTS)),
)
WATCHED = (*_install("watch"), _on("watch", kinds.NODE_CLASS))
WATCHED_POLICIES = _each("watch", (*POLICIES, *ENDPOINTS))

CREATED = (_on("create", kinds.LEASE), rbac("create", kinds.DEFINITION.plural, kinds.DEFINITION.group))
CREATED_POLICIES = _each("create", POLICIES)
APPLIED = (
    *_install("patch"),
    # What is not there yet is created by the same request, whose path has the name.
    _on("create", kinds.CONFIGMAP, SWITCH),
    _on("create", kinds.SERVICE_ACCOUNT, AWS_NODE),
    _on("create", kinds.CLUSTER_ROLE, AWS_NODE),
    _on("create", kinds.CLUSTER_ROLE_BINDING, AWS_NODE),
    _on("escalate", kinds.CLUSTER_ROLE, AWS_NODE),
    _on("bind", kinds.CLUSTER_ROLE, AWS_NODE),
    _on("patch", kinds.NODE_CLASS),
)
PATCHED_POLICIES = _each("patch", POLICIES)
REPLACED = (_on("update", kinds.LEASE, LEASE_NAME),)
DELETED_POLICIES = _each("delete", (*POLICIES, *ENDPOINTS))
