"""Linux nodes run a kernel that the node agent can load its programs into."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.assets.releases import Matrix
from eksnetpol.checks.declare import BEFORE_POLICY, CONFIGURE, check
from eksnetpol.checks.words import count, listed
from eksnetpol.facts.node_groups import fold
from eksnetpol.facts.platform import NodeKinds, kernel_of
from eksnetpol.model.findings import Evidence, Finding, Severity, Unknown


@check(
    title="node kernels support eBPF policy enforcement",
    severity=Severity.BLOCKER,
    docs=CONFIGURE,
    sources=(CONFIGURE, "aws/aws-network-policy-agent#249"),
    intents=BEFORE_POLICY,
)
def kernel_supports_ebpf(node_kinds: NodeKinds, releases: Matrix) -> Iterator[Finding | Unknown | Evidence]:
    """
    The node agent enforces with eBPF programs that need Linux 5.10 or later; on an older kernel it fails to load them and its
    container crash-loops. Nodes that the aws-node DaemonSet does not serve (Fargate, Windows, hybrid, Auto Mode) are not asked.
    """
    least = releases.minimum.kernel_version
    kernels = sorted({kernel for n in node_kinds.linux_ec2 if (kernel := kernel_of(n)) is not None})
    yield Evidence(f"{count(len(node_kinds.linux_ec2), 'Linux node')}, kernels {listed(f'{a}.{b}' for a, b in kernels)}")
    for maker, nodes in fold(node_kinds.linux_ec2).items():
        unread = [n for n in nodes if kernel_of(n) is None]
        old = [n for n in nodes if (kernel := kernel_of(n)) is not None and kernel < least]
        if unread:
            said = unread[0].status.node_info.kernel_version or "nothing"
            yield Unknown(maker, f"the kernel of {listed(n.name for n in unread)} cannot be read: the kubelet says {said!r}")
        if old:
            versions = listed(dict.fromkeys(n.status.node_info.kernel_version for n in old))
            yield Finding(
                subject=maker,
                message=f"{count(len(old), 'node')} of {len(nodes)} run kernel {versions}; the agent needs "
                f"{releases.minimum.kernel} or later",
                remedy="Move to an AL2023 or Bottlerocket AMI (or an AL2 AMI with a 5.10 kernel) and replace these nodes.",
                command="kubectl get nodes -o custom-columns=NAME:.metadata.name,KERNEL:.status.nodeInfo.kernelVersion",
                evidence=(listed((n.name for n in old), 5),),
            )
