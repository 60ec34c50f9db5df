"""The kind ClusterPolicyEndpoint is served where the agent needs it."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.assets.releases import Matrix
from eksnetpol.checks.declare import TROUBLESHOOT, NotApplicable, check
from eksnetpol.checks.parts import agent_of
from eksnetpol.facts.vpc_cni import VpcCni
from eksnetpol.model.findings import Evidence, Finding, Intent, Severity, Subject, Unknown
from eksnetpol.model.kubernetes import CustomResourceDefinition
from eksnetpol.model.snapshot import SourceKind, Unread
from eksnetpol.model.versions import Release

NAME = "clusterpolicyendpoints.networking.k8s.aws"


@check(
    title="the kind ClusterPolicyEndpoint is served where the agent needs it",
    severity=Severity.BLOCKER,
    docs=TROUBLESHOOT,
    sources=("aws/aws-network-policy-agent#551", "aws/aws-network-policy-agent#553"),
    intents=frozenset({Intent.ENABLE, Intent.UPGRADE, Intent.MIGRATE}),
)
def cluster_policy_definition_is_served(
    crds: tuple[CustomResourceDefinition, ...],
    vpc_cni: VpcCni | None,
    agent_release: Release | Unread,
    source: SourceKind,
    releases: Matrix,
) -> Iterator[Finding | Unknown | Evidence]:
    """
    Agents from v1.3.5 on exit after two minutes, again and again, when policies are on and ClusterPolicyEndpoint is not served;
    v1.3.0 to v1.3.4 go on without cluster policies and look for it every 30 seconds. The EKS control plane creates the
    definition; one that is too old does not know it yet.
    """
    agent_of(vpc_cni)
    if isinstance(agent_release, Unread):
        yield Unknown(Subject("CustomResourceDefinition", NAME), agent_release.reason)
        return
    first, needed = releases.feature["cluster-endpoints"].agent, releases.feature["cluster-endpoints-mandatory"].agent
    if first is None or needed is None or agent_release.base < first:
        raise NotApplicable(f"agent {agent_release} knows no ClusterPolicyEndpoints")
    subject = Subject("CustomResourceDefinition", NAME)
    crd = next((c for c in crds if c.name == NAME), None)
    files = source is SourceKind.MANIFESTS
    if crd is not None and crd.metadata.deletion_timestamp is None and (crd.is_established or files):
        yield Evidence(f"agent {agent_release}, {NAME} is served")
    elif crd is None and files:
        yield Unknown(subject, "these files do not hold it; the EKS control plane creates it where it is missing")
    else:
        state = "missing" if crd is None else "being deleted" if crd.metadata.deletion_timestamp else "not established"
        yield Finding(
            subject=subject,
            message=f"{NAME} is {state}, and agent {agent_release} reads it",
            remedy="Update the cluster's platform version, or apply the definition of the policy controller's release.",
            command=f"kubectl get customresourcedefinition {NAME}",
            severity=None if agent_release.base >= needed else Severity.WARNING,
        )
