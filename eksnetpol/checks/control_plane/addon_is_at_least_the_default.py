"""The installed add-on version is not older than EKS's default."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import NotApplicable, check
from eksnetpol.checks.parts import VPC_CNI_ADDON
from eksnetpol.facts.changing import Changing
from eksnetpol.model.eks import Addon, AddonRelease
from eksnetpol.model.findings import Evidence, Finding, Severity, Unknown
from eksnetpol.model.versions import KubernetesVersion, Release


@check(
    title="the add-on is no older than EKS's default for this Kubernetes version",
    severity=Severity.ADVICE,
    docs="https://docs.aws.amazon.com/eks/latest/userguide/managing-vpc-cni.html",
    sources=("https://docs.aws.amazon.com/eks/latest/APIReference/API_Compatibility.html",),
)
def addon_is_at_least_the_default(
    addon: Addon | None,
    addon_releases: tuple[AddonRelease, ...],
    kubernetes_version: KubernetesVersion,
    changing: Changing,
) -> Iterator[Finding | Unknown | Evidence]:
    """
    EKS marks one version of an add-on as the default for each Kubernetes version and never updates what is installed by itself.
    Builds of the same release (-eksbuild.N) differ too, and can carry a newer agent.
    """
    if addon is None:
        raise NotApplicable("EKS does not manage the VPC CNI of this cluster")
    version = str(kubernetes_version)
    installed = Release.try_parse(addon.addon_version)
    default = next((Release.try_parse(r.addon_version) for r in addon_releases if _is_default(r, version)), None)
    if installed is None:
        yield Unknown(VPC_CNI_ADDON, f"the installed version {addon.addon_version!r} cannot be read")
    if default is None:
        yield Unknown(VPC_CNI_ADDON, f"EKS named no default version of vpc-cni for Kubernetes {version}")
    if installed is None or default is None:
        return
    yield Evidence(f"vpc-cni {installed}, default for Kubernetes {version} {default}")
    if installed < default:
        yield Finding(
            subject=VPC_CNI_ADDON,
            message=f"vpc-cni {installed} is older than {default}, EKS's default for Kubernetes {version}",
            remedy="Update the add-on, one minor version at a time, each time to its newest build.",
            command=changing.upgrade(default),
        )


def _is_default(release: AddonRelease, version: str) -> bool:
    return any(c.default_version and c.cluster_version == version for c in release.compatibilities)
