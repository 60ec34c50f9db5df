"""The controller in the EKS control plane may write PolicyEndpoints."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.assets.releases import Matrix
from eksnetpol.checks.declare import TROUBLESHOOT, NotApplicable, check
from eksnetpol.facts.agent_rights import GROUP, grants
from eksnetpol.model.findings import Evidence, Finding, Severity, Subject
from eksnetpol.model.kubernetes import ClusterRole, ClusterRoleBinding
from eksnetpol.model.snapshot import SourceKind, Unread
from eksnetpol.model.versions import KubernetesVersion

NAME = "eks:network-policy-controller"
VERBS = ("create", "update", "patch", "delete")


@check(
    title="the policy controller may write PolicyEndpoints",
    severity=Severity.BLOCKER,
    docs=TROUBLESHOOT,
    sources=(TROUBLESHOOT, "https://github.com/aws/amazon-network-policy-controller-k8s/blob/main/config/rbac/role.yaml"),
)
def controller_may_write_policy_endpoints(
    cluster_roles: tuple[ClusterRole, ...],
    cluster_role_bindings: tuple[ClusterRoleBinding, ...],
    kubernetes_version: KubernetesVersion | Unread,
    source: SourceKind,
    releases: Matrix,
) -> Iterator[Finding | Evidence]:
    """
    The controller works as user eks:network-policy-controller, with a ClusterRole and a ClusterRoleBinding of that name which EKS
    creates. Where a clean-up of RBAC took them or cut them down, policies are accepted and no PolicyEndpoint is ever written.
    """
    if source is SourceKind.MANIFESTS:
        raise NotApplicable("EKS creates these; files do not hold them")
    if isinstance(kubernetes_version, KubernetesVersion) and kubernetes_version < releases.minimum.kubernetes:
        raise NotApplicable(f"Kubernetes {kubernetes_version} has no policy controller")
    role = next((r for r in cluster_roles if r.metadata.name == NAME), None)
    binding = next((b for b in cluster_role_bindings if b.metadata.name == NAME), None)
    lacking = [v for v in VERBS if role is None or not any(grants(r, v, GROUP, "policyendpoints") for r in role.rules)]
    yield Evidence(f"ClusterRole {NAME} is {'missing' if role is None else 'there'}")
    if role is None:
        yield _finding("ClusterRole", "is missing")
    elif lacking:
        yield _finding("ClusterRole", f"does not grant {', '.join(lacking)} on policyendpoints")
    if binding is None:
        yield _finding("ClusterRoleBinding", "is missing")
    elif binding.role_ref.name != NAME or not any(s.name == NAME for s in binding.subjects):
        yield _finding("ClusterRoleBinding", "does not give the role to the controller's user")


def _finding(kind: str, what: str) -> Finding:
    return Finding(
        subject=Subject(kind, NAME),
        message=f"{kind} {NAME} {what}: the controller cannot write PolicyEndpoints",
        remedy="Restore it (EKS writes it again with the next control-plane update), then touch every NetworkPolicy.",
        command=f"kubectl get {kind.lower()} {NAME} -o yaml",
    )
