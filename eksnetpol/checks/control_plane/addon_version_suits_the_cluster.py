"""EKS offers the installed add-on version for this Kubernetes version."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import NotApplicable, check
from eksnetpol.checks.parts import VPC_CNI_ADDON
from eksnetpol.facts.changing import Changing
from eksnetpol.model.eks import Addon, AddonRelease
from eksnetpol.model.findings import Evidence, Finding, Severity, Unknown
from eksnetpol.model.versions import KubernetesVersion


@check(
    title="EKS offers the installed version of vpc-cni for this Kubernetes version",
    severity=Severity.ADVICE,
    docs="https://docs.aws.amazon.com/eks/latest/userguide/managing-vpc-cni.html",
    sources=("https://docs.aws.amazon.com/eks/latest/APIReference/API_DescribeAddonVersions.html",),
)
def addon_version_suits_the_cluster(
    addon: Addon | None,
    addon_releases: tuple[AddonRelease, ...],
    kubernetes_version: KubernetesVersion,
    changing: Changing,
) -> Iterator[Finding | Unknown | Evidence]:
    """
    EKS never updates the add-on when the control plane is upgraded, so a version can stay behind that EKS no longer offers for
    the new Kubernetes version: not tested together, and not to be had again once it was replaced.
    """
    if addon is None:
        raise NotApplicable("EKS does not manage the VPC CNI of this cluster")
    version = str(kubernetes_version)
    offered = [r.addon_version for r in addon_releases if any(c.cluster_version == version for c in r.compatibilities)]
    if not offered:
        yield Unknown(VPC_CNI_ADDON, f"EKS named no version of vpc-cni for Kubernetes {version}")
        return
    yield Evidence(f"vpc-cni {addon.addon_version}, one of {len(offered)} for Kubernetes {version}")
    if addon.addon_version not in offered:
        newest = changing.offered[-1] if changing.offered else "not known"
        yield Finding(
            subject=VPC_CNI_ADDON,
            message=f"EKS does not offer vpc-cni {addon.addon_version} for Kubernetes {version}",
            remedy=f"Move to a version that it offers ({len(offered)} in all); the newest without known harm is {newest}.",
            command=changing.upgrade(changing.offered[0])
            if changing.offered
            else f"aws eks describe-addon-versions{changing.region} --addon-name vpc-cni --kubernetes-version {version}",
        )
