"""Nobody else owns the CRD that a new add-on would bring."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import NotApplicable, check
from eksnetpol.checks.words import listed
from eksnetpol.facts.changing import Changing
from eksnetpol.facts.vpc_cni import VpcCni
from eksnetpol.model.eks import Addon
from eksnetpol.model.findings import Evidence, Finding, Intent, Severity, Subject, Unknown
from eksnetpol.model.kubernetes import CustomResourceDefinition
from eksnetpol.model.snapshot import Unread

CRD = "policyendpoints.networking.k8s.aws"
ADDON_MANAGER = "eks"
VALUES = "file://values.json"


@check(
    title="an add-on can be created without a conflict over the PolicyEndpoint CRD",
    severity=Severity.WARNING,
    docs="https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-field-management.html",
    sources=("aws/amazon-network-policy-controller-k8s#200",),
    intents=frozenset({Intent.ENABLE}),
)
def crds_leave_room_for_the_addon(
    addon: Addon | None, vpc_cni: VpcCni | Unread | None, crds: tuple[CustomResourceDefinition, ...], changing: Changing
) -> Iterator[Finding | Unknown | Evidence]:
    """
    The control plane installs the PolicyEndpoint CRD by itself on newer clusters. Where the VPC CNI is not yet a managed add-on,
    create-addon then meets fields that somebody else owns and ends as CREATE_FAILED, unless it is told to overwrite.
    """
    if addon is not None:
        raise NotApplicable("EKS manages the VPC CNI already")
    if vpc_cni is None:
        raise NotApplicable("there is no aws-node that an add-on would adopt")
    crd = next((c for c in crds if c.name == CRD), None)
    if crd is None:
        yield Evidence(f"there is no CRD {CRD}")
        return
    subject = Subject("CustomResourceDefinition", CRD)
    writers = [f for f in crd.metadata.managed_fields if not f.subresource]
    if not writers:
        yield Unknown(subject, "who owns its fields is not recorded in what was read (metadata.managedFields)")
        return
    owners = sorted({f.manager for f in writers if f.fields_v1 is None or "f:versions" in f.fields_v1.get("f:spec", {})})
    yield Evidence(f"{CRD} belongs to {listed(owners) or 'nobody'}")
    if owners and ADDON_MANAGER not in owners:
        yield Finding(
            subject=subject,
            message=f"the versions of the CRD belong to {listed(owners)}: creating the add-on vpc-cni without OVERWRITE fails",
            remedy=(
                "Nothing has to be done while the VPC CNI stays as it is. Where you make it a managed add-on, let it overwrite, "
                "and give it your settings as configuration values: adoption resets the rest to EKS's defaults."
            ),
            command=changing.aws(
                "create-addon", "--addon-name", "vpc-cni", "--configuration-values", VALUES, "--resolve-conflicts", "OVERWRITE"
            ),
        )
