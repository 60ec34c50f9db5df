"""The platform version carries the policy controller."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.assets.releases import Matrix
from eksnetpol.checks.declare import BEFORE_POLICY, CONFIGURE, NotApplicable, check
from eksnetpol.facts.changing import Changing
from eksnetpol.model.eks import Cluster
from eksnetpol.model.findings import Evidence, Finding, Severity, Subject, Unknown
from eksnetpol.model.snapshot import Target, Unread
from eksnetpol.model.versions import KubernetesVersion, PlatformVersion


@check(
    title="the EKS platform version carries the policy controller",
    severity=Severity.BLOCKER,
    docs=CONFIGURE,
    sources=(CONFIGURE,),
    intents=BEFORE_POLICY,
)
def platform_version_has_the_controller(
    kubernetes_version: KubernetesVersion, cluster: Cluster | Unread, releases: Matrix, target: Target, changing: Changing
) -> Iterator[Finding | Unknown | Evidence]:
    """
    The policy controller came to the EKS control plane with platform versions 1.25/eks.7, 1.26/eks.6 and 1.27/eks.5. On an older
    one the switch is ignored and no PolicyEndpoint is written. Every platform version of later Kubernetes versions has it.
    """
    if kubernetes_version < releases.minimum.kubernetes:
        raise NotApplicable(f"no platform version of Kubernetes {kubernetes_version} has the policy controller")
    least = releases.minimum.platform.get(str(kubernetes_version))
    if least is None:
        yield Evidence(f"every platform version of Kubernetes {kubernetes_version} has the controller")
        return
    subject = Subject("Cluster", target.title)
    if isinstance(cluster, Unread):
        yield Unknown(subject, f"Kubernetes {kubernetes_version} needs platform version {least} or later: {cluster.reason}")
        return
    try:
        platform = PlatformVersion.parse(cluster.platform_version)
    except ValueError as error:
        yield Unknown(subject, f"the platform version cannot be read: {error}")
        return
    yield Evidence(f"platform version {platform} of Kubernetes {kubernetes_version}")
    if platform < least:
        following = KubernetesVersion(kubernetes_version.major, kubernetes_version.minor + 1)
        yield Finding(
            subject=subject,
            message=f"platform version {platform} of Kubernetes {kubernetes_version} lacks the policy controller; {least} has it",
            remedy="EKS rolls platform versions forward by itself; if this one stays behind, upgrade the control plane.",
            command=changing.aws_cluster("update-cluster-version", "--kubernetes-version", str(following)),
        )
