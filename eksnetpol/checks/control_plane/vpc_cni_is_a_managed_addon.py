"""EKS manages the VPC CNI."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import CONFIGURE, check
from eksnetpol.checks.parts import AWS_NODE, installed
from eksnetpol.facts.changing import Changing
from eksnetpol.facts.vpc_cni import Install, VpcCni
from eksnetpol.model.eks import Addon
from eksnetpol.model.findings import Evidence, Finding, Intent, Severity, Unknown
from eksnetpol.model.snapshot import Unread


@check(
    title="the VPC CNI is a managed add-on of EKS",
    severity=Severity.ADVICE,
    docs=CONFIGURE,
    sources=("eksctl-io/eksctl#7770", "aws/eks-charts#421"),
    intents=frozenset({Intent.ENABLE, Intent.UPGRADE, Intent.MIGRATE}),
)
def vpc_cni_is_a_managed_addon(
    vpc_cni: VpcCni | None,
    install: Install,
    addons: tuple[str, ...] | Unread,
    addon: Addon | Unread | None,
    changing: Changing,
) -> Iterator[Finding | Unknown | Evidence]:
    """
    There are three ways to install aws-node, and each is changed in its own way: the managed add-on through EKS, a Helm release
    through Helm, a manifest with kubectl. Mixing them reverts settings. A self-managed aws-node works as well; update-addon then
    answers that there is no such add-on, and create-addon adopts what is there.
    """
    installed(vpc_cni)
    if isinstance(addon, Unread) and isinstance(addons, Unread):
        yield Unknown(AWS_NODE, f"whether EKS manages the VPC CNI is not known: {addon.reason}")
        return
    managed = isinstance(addon, Addon) or (not isinstance(addons, Unread) and "vpc-cni" in addons)
    yield Evidence(install.evidence)
    if not managed:
        yield Finding(
            subject=AWS_NODE,
            message=f"EKS does not manage the VPC CNI: {install.evidence}; settings are kept {changing.place}",
            remedy=(
                "Change it there and nowhere else. To let EKS adopt it (create-addon --resolve-conflicts OVERWRITE), note its "
                "settings first: adoption resets them to EKS's defaults."
            ),
            command="kubectl get daemonset aws-node -n kube-system -o yaml",
        )
