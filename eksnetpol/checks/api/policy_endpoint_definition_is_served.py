"""The kind PolicyEndpoint is served."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.assets.releases import Matrix
from eksnetpol.checks.declare import TROUBLESHOOT, NotApplicable, check
from eksnetpol.model.findings import Evidence, Finding, Severity, Subject, Unknown
from eksnetpol.model.kubernetes import CustomResourceDefinition
from eksnetpol.model.snapshot import SourceKind, Unread
from eksnetpol.model.versions import Release

NAME, VERSION = "policyendpoints.networking.k8s.aws", "v1alpha1"


@check(
    title="the kind PolicyEndpoint is served",
    severity=Severity.BLOCKER,
    docs=TROUBLESHOOT,
    sources=("aws/aws-network-policy-agent#668", "aws/amazon-vpc-cni-k8s#3623", "aws/amazon-vpc-cni-k8s#3625"),
)
def policy_endpoint_definition_is_served(
    crds: tuple[CustomResourceDefinition, ...], cni_release: Release | Unread, source: SourceKind, releases: Matrix
) -> Iterator[Finding | Unknown | Evidence]:
    """
    The controller writes PolicyEndpoints and the agents read them: without the CustomResourceDefinition nothing is enforced, and
    agents that are switched on crash-loop. The EKS control plane creates it where it is missing, and so did the manifests of VPC
    CNI v1.14.0 to v1.22.0; it goes when somebody deletes it as unused, or when GitOps prunes it.
    """
    subject = Subject("CustomResourceDefinition", NAME)
    crd = next((c for c in crds if c.name == NAME), None)
    if crd is None:
        if source is SourceKind.MANIFESTS:
            yield Unknown(subject, "these files do not hold it; the EKS control plane creates it where it is missing")
            return
        if isinstance(cni_release, Release) and cni_release.base < releases.minimum.cni:
            raise NotApplicable(f"VPC CNI {cni_release} knows no policies; the definition comes with its update")
        yield _finding(subject, "is missing")
    elif crd.metadata.deletion_timestamp is not None:
        yield _finding(subject, "is being deleted, and every PolicyEndpoint with it")
    elif not crd.is_established and source is not SourceKind.MANIFESTS:
        yield _finding(subject, "is not established: the API server does not serve it")
    elif not any(v.name == VERSION and v.served for v in crd.spec.versions):
        yield _finding(subject, f"does not serve {VERSION}, the version the agent reads")
    else:
        yield Evidence(f"{NAME} {VERSION}")


def _finding(subject: Subject, what: str) -> Finding:
    return Finding(
        subject=subject,
        message=f"{NAME} {what}",
        remedy="Create it again from the release of the policy controller, then touch every NetworkPolicy so that its "
        "PolicyEndpoints are written anew.",
        command=f"kubectl get customresourcedefinition {NAME}",
    )
