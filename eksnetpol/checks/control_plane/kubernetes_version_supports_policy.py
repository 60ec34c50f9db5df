"""The Kubernetes version has a network policy controller."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.assets.releases import Matrix
from eksnetpol.checks.declare import BEFORE_POLICY, CONFIGURE, check
from eksnetpol.facts.changing import Changing
from eksnetpol.model.findings import Evidence, Finding, Severity, Subject
from eksnetpol.model.snapshot import Target
from eksnetpol.model.versions import KubernetesVersion


@check(
    title="the Kubernetes version supports network policies of the VPC CNI",
    severity=Severity.BLOCKER,
    docs=CONFIGURE,
    sources=(CONFIGURE,),
    intents=BEFORE_POLICY,
)
def kubernetes_version_supports_policy(
    kubernetes_version: KubernetesVersion, releases: Matrix, target: Target, changing: Changing
) -> Iterator[Finding | Evidence]:
    """
    The controller that turns NetworkPolicies into PolicyEndpoints runs inside the EKS control plane from Kubernetes 1.25 on. On
    an older one the switches can be set, but nothing ever acts on a policy.
    """
    yield Evidence(f"Kubernetes {kubernetes_version}")
    least = releases.minimum.kubernetes
    if kubernetes_version < least:
        following = KubernetesVersion(kubernetes_version.major, kubernetes_version.minor + 1)
        yield Finding(
            subject=Subject("Cluster", target.title),
            message=f"the control plane runs Kubernetes {kubernetes_version}; network policies need {least} or later",
            remedy="Upgrade the control plane, one minor version at a time, then its nodes and add-ons.",
            command=changing.aws_cluster("update-cluster-version", "--kubernetes-version", str(following)),
        )
