"""Accelerated Amazon Linux 2 images are recent enough to carry a kernel for eBPF."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.assets.releases import Matrix
from eksnetpol.checks.declare import BEFORE_POLICY, CONFIGURE, NotApplicable, check
from eksnetpol.facts.changing import Changing
from eksnetpol.facts.platform import NodeKinds, kernel_of, release_date_of
from eksnetpol.model.eks import Nodegroup
from eksnetpol.model.findings import Evidence, Finding, Severity, Subject, Unknown
from eksnetpol.model.snapshot import Unread

FIRST_WITH_KERNEL = 20231116
"""The first accelerated AL2 release whose kernel is 5.10."""

ACCELERATED_AL2 = "AL2_x86_64_GPU"


@check(
    title="accelerated AL2 images carry a kernel the agent can use",
    severity=Severity.BLOCKER,
    docs=CONFIGURE,
    sources=(CONFIGURE, "aws/aws-network-policy-agent#74", "aws/aws-network-policy-agent#89"),
    intents=BEFORE_POLICY,
)
def accelerated_images_are_recent(
    nodegroups: tuple[Nodegroup, ...], node_kinds: NodeKinds | Unread, releases: Matrix, changing: Changing
) -> Iterator[Finding | Unknown | Evidence]:
    """
    Accelerated (GPU, Neuron) Amazon Linux 2 images lagged behind: only releases from v20231116 on have kernel 5.10. A node group
    of an older release crash-loops the agent on those nodes alone. Where its nodes report a newer kernel all the same, only the
    nodes it makes next are at risk, and the finding is a warning.
    """
    asked = [g for g in nodegroups if g.ami_type == ACCELERATED_AL2]
    if not asked:
        raise NotApplicable("no managed node group uses an accelerated AL2 image")
    for group in asked:
        yield Evidence(f"{group.nodegroup_name}: {group.release_version or 'no release'}")
        date = release_date_of(group.release_version)
        subject = Subject("Nodegroup", group.nodegroup_name)
        if date is None:
            yield Unknown(subject, f"the image release {group.release_version!r} has no date in it")
        elif date < FIRST_WITH_KERNEL:
            proven = _all_run(group, node_kinds, releases)
            yield Finding(
                subject=subject,
                message=f"accelerated AL2 release {group.release_version} is older than v{FIRST_WITH_KERNEL}, the first with "
                f"kernel {releases.minimum.kernel}" + ("; its present nodes report a newer kernel" if proven else ""),
                remedy="Update the node group to a release from November 2023 or later, or move it to AL2023.",
                command=changing.aws("update-nodegroup-version", "--nodegroup-name", group.nodegroup_name),
                severity=Severity.WARNING if proven else None,
            )


def _all_run(group: Nodegroup, kinds: NodeKinds | Unread, releases: Matrix) -> bool:
    if isinstance(kinds, Unread):
        return False
    label = "eks.amazonaws.com/nodegroup"
    members = [n for n in kinds.linux_ec2 if n.metadata.labels.get(label) == group.nodegroup_name]
    kernels = [kernel_of(n) for n in members]
    return bool(kernels) and all(k is not None and k >= releases.minimum.kernel_version for k in kernels)
