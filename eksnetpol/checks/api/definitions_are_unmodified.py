"""The CustomResourceDefinitions of the VPC CNI are as AWS released them."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.assets.definitions import recognise
from eksnetpol.checks.declare import LIMIT, check
from eksnetpol.checks.words import listed
from eksnetpol.model.findings import Evidence, Finding, Severity, Subject, Unknown
from eksnetpol.model.kubernetes import CustomResourceDefinition

GROUP = "networking.k8s.aws"

BY_HAND = ("kubectl-edit", "kubectl-patch", "kubectl-replace")
"""Field managers that kubectl uses for changes that do not come from a file with the whole object."""


@check(
    title="the definitions of AWS's policy kinds are unmodified",
    severity=Severity.WARNING,
    docs=LIMIT,
    sources=(LIMIT, "https://github.com/aws/amazon-vpc-cni-k8s/blob/master/docs/network-policy-faq.md"),
    about="objects",
)
def definitions_are_unmodified(crds: tuple[CustomResourceDefinition, ...]) -> Iterator[Finding | Unknown | Evidence]:
    """
    AWS manages the definitions in group networking.k8s.aws and asks that nobody changes them. Their schemas are compared with
    those of all releases known here, descriptions aside. One that is unknown was changed by hand if its field managers say so;
    otherwise it may be of a release that is newer than this tool, and that is said instead of guessed.
    """
    for crd in crds:
        if crd.spec.group != GROUP:
            continue
        subject = Subject("CustomResourceDefinition", crd.name)
        if not crd.spec.schema_digest:
            yield Unknown(subject, "this snapshot does not hold its schema's digest")
            continue
        if release := recognise(crd.name, crd.spec.schema_digest):
            yield Evidence(f"{crd.name} is that of {release.releases}")
            continue
        hands = sorted({f.manager for f in crd.metadata.managed_fields if f.manager in BY_HAND and not f.subresource})
        if not hands:
            yield Unknown(subject, "its schema is of no release known here: newer than this tool, or changed")
            continue
        yield Finding(
            subject=subject,
            message=f"the schema is of no known release, and {listed(hands)} changed it",
            remedy="Apply the released definition over it; never delete it, because its objects would go with it.",
            command=f"kubectl get customresourcedefinition {crd.name} -o yaml --show-managed-fields",
        )
