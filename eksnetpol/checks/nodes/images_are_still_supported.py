"""No node runs the Amazon Linux 2 image, which gets no fixes any more."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import check
from eksnetpol.checks.words import count, listed
from eksnetpol.facts.node_groups import fold
from eksnetpol.facts.platform import NodeKinds
from eksnetpol.model.findings import Evidence, Finding, Severity
from eksnetpol.model.kubernetes import Node

AMI_DEPRECATION = "https://docs.aws.amazon.com/eks/latest/userguide/eks-ami-deprecation-faqs.html"


@check(
    title="node images are still supported",
    severity=Severity.ADVICE,
    docs=AMI_DEPRECATION,
    sources=(AMI_DEPRECATION, "awslabs/amazon-eks-ami#2545"),
)
def images_are_still_supported(node_kinds: NodeKinds) -> Iterator[Finding | Evidence]:
    """
    Support for the EKS images of Amazon Linux 2 ended in November 2025. They still enforce policies where the kernel is 5.10,
    but neither kernel nor bpftool get fixes any more.
    """
    yield Evidence(count(len(node_kinds.linux_ec2), "Linux node"))
    for maker, nodes in fold(n for n in node_kinds.linux_ec2 if _is_al2(n)).items():
        yield Finding(
            subject=maker,
            message=f"{count(len(nodes), 'node')} run Amazon Linux 2, whose EKS images are no longer supported",
            remedy="Move the node group to AL2023 or Bottlerocket.",
            evidence=(listed((n.name for n in nodes), 5),),
        )


def _is_al2(node: Node) -> bool:
    image = node.status.node_info.os_image
    return image == "Amazon Linux 2" or image.startswith("Amazon Linux 2 ")
