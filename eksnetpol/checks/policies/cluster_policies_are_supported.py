"""Cluster policies stand where they are enforced."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.assets.releases import Matrix
from eksnetpol.checks.declare import CNI_README, ENFORCING, NotApplicable, check
from eksnetpol.checks.words import count, few
from eksnetpol.facts.changing import Changing
from eksnetpol.facts.cluster_rules import ClusterRulebook
from eksnetpol.model.findings import Evidence, Finding, Severity, Subject, Unknown
from eksnetpol.model.snapshot import Target, Unread, Why
from eksnetpol.model.versions import KubernetesVersion, Release


@check(
    title="cluster policies are supported by cluster and agent",
    severity=Severity.BLOCKER,
    docs=CNI_README,
    sources=("aws/amazon-vpc-cni-k8s#3553", "https://docs.aws.amazon.com/eks/latest/userguide/cni-network-policy.html"),
    intents=ENFORCING,
)
def cluster_policies_are_supported(
    cluster_rulebook: ClusterRulebook,
    kubernetes_version: KubernetesVersion | Unread,
    cni_release: Release | Unread,
    releases: Matrix,
    changing: Changing,
    target: Target,
) -> Iterator[Finding | Unknown | Evidence]:
    """
    ClusterNetworkPolicies of networking.k8s.aws need Kubernetes 1.29 and VPC CNI v1.21.1. An older control plane does not resolve
    them, an older agent does not read what was resolved: either way nothing is enforced, and no error says so.
    """
    cluster_policies = cluster_rulebook.policies
    if not cluster_policies:
        raise NotApplicable("there is no ClusterNetworkPolicy")
    least = releases.feature["cluster-policies"]
    names = few(p.metadata.name for p in cluster_policies)
    policies = count(len(cluster_policies), "ClusterNetworkPolicy", "ClusterNetworkPolicies")
    yield Evidence(policies)
    if isinstance(kubernetes_version, Unread):
        yield Unknown(Subject("Cluster", target.title), f"whether it resolves cluster policies: {kubernetes_version.reason}")
    elif least.kubernetes is not None and kubernetes_version < least.kubernetes:
        yield Finding(
            subject=Subject("Cluster", target.title),
            message=f"Kubernetes {kubernetes_version} does not resolve {policies}: that takes {least.kubernetes}",
            remedy=f"Upgrade the cluster to Kubernetes {least.kubernetes} or later.",
            command="kubectl get clusternetworkpolicies.networking.k8s.aws",
            evidence=names,
        )
    if isinstance(cni_release, Unread):
        if cni_release.why is not Why.ABSENT:
            yield Unknown(Subject("DaemonSet", "aws-node", "kube-system"), f"whether it enforces them: {cni_release.reason}")
    elif least.cni is not None and cni_release.base < least.cni:
        yield Finding(
            subject=Subject("DaemonSet", "aws-node", "kube-system"),
            message=f"VPC CNI {cni_release} does not enforce {policies}: that takes {least.cni}",
            remedy=f"Upgrade to VPC CNI {least.cni} or later.",
            command=changing.upgrade(least.cni),
            evidence=names,
        )
