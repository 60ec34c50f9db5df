"""EKS is content with the add-on."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import NotApplicable, check
from eksnetpol.checks.parts import VPC_CNI_ADDON
from eksnetpol.facts.changing import Changing
from eksnetpol.model.eks import Addon, AddonIssue, Update
from eksnetpol.model.findings import Evidence, Finding, Severity, Unknown
from eksnetpol.model.snapshot import Unread

UNDER_WAY = {"CREATING", "UPDATING", "DELETING"}
REMEDIES = {
    "AccessDenied": "Let EKS act in the cluster again: the ClusterRole eks:addon-manager and its binding must be intact.",
    "AddonPermissionFailure": "Give the add-on's role the policy AmazonEKS_CNI_Policy (IPv6: a policy with AssignIpv6Addresses).",
    "AdmissionRequestDenied": "Exempt kube-system/aws-node from the admission webhook or policy that refused it.",
    "ClusterUnreachable": "Let the control plane reach its own API endpoint: subnets, security groups and webhooks decide.",
    "ConfigurationConflict": "Somebody else owns these fields: move their values to the configuration values, then overwrite.",
    "InsufficientNumberOfReplicas": "Pods of aws-node do not become ready; their events and logs say why.",
    "K8sResourceNotFound": "Something of the add-on was deleted in the cluster; an update with OVERWRITE puts it back.",
    "UnsupportedAddonModification": "The object was changed in a way EKS does not support; overwrite it.",
}


@check(
    title="EKS reports the add-on vpc-cni active and without issues",
    severity=Severity.BLOCKER,
    docs="https://docs.aws.amazon.com/eks/latest/APIReference/API_AddonIssue.html",
    sources=("aws/amazon-network-policy-controller-k8s#200", "https://docs.aws.amazon.com/eks/latest/APIReference/API_Addon.html"),
)
def addon_is_healthy(
    addon: Addon | None, addon_updates: tuple[Update, ...] | Unread, changing: Changing
) -> Iterator[Finding | Unknown | Evidence]:
    """
    EKS takes one update of an add-on at a time, and one that is failed or degraded keeps what made it fail: a field somebody else
    owns, pods that do not become ready, an admission webhook. A change on top of that fails too, or hides it.
    """
    if addon is None:
        raise NotApplicable("EKS does not manage the VPC CNI of this cluster")
    if not addon.status:
        yield Unknown(VPC_CNI_ADDON, "EKS did not say in which state the add-on is")
        return
    yield Evidence(f"add-on vpc-cni {addon.addon_version} is {addon.status}")
    for issue in addon.health.issues:
        yield _issue(issue, addon, changing)
    if addon.status == "ACTIVE" or (addon.health.issues and addon.status not in UNDER_WAY):
        return
    failed = () if isinstance(addon_updates, Unread) else tuple(u for u in addon_updates[:1] if u.status == "Failed")
    said = tuple(f"update {u.id}: {e.error_code}: {e.error_message}" for u in failed for e in u.errors)
    if addon.status in UNDER_WAY:
        remedy = "Wait until EKS is done: it takes one update at a time."
    else:
        remedy = "See what the last update failed on, put that right, and update again."
    yield Finding(
        subject=VPC_CNI_ADDON,
        message=f"the add-on vpc-cni {addon.addon_version} is {addon.status}, not ACTIVE",
        remedy=remedy,
        command=changing.aws("describe-addon", "--addon-name", "vpc-cni"),
        evidence=said,
    )


def _issue(issue: AddonIssue, addon: Addon, changing: Changing) -> Finding:
    if issue.code in {"ConfigurationConflict", "K8sResourceNotFound", "UnsupportedAddonModification"}:
        command = changing.restore()
    elif issue.code == "InsufficientNumberOfReplicas":
        command = "kubectl get pods -n kube-system -l k8s-app=aws-node -o wide"
    else:
        command = changing.aws("describe-addon", "--addon-name", "vpc-cni")
    return Finding(
        subject=VPC_CNI_ADDON,
        message=f"the add-on is {addon.status}: {issue.code}: {issue.message}".rstrip(": "),
        remedy=REMEDIES.get(issue.code, "Resolve what EKS names, then update the add-on."),
        command=command,
        evidence=issue.resource_ids,
    )
