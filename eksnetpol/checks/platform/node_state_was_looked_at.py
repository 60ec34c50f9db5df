"""What is on the nodes themselves was looked at."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import TROUBLESHOOT, NotApplicable, check
from eksnetpol.checks.parts import ENFORCING
from eksnetpol.checks.words import count
from eksnetpol.facts.platform import NodeKinds
from eksnetpol.model.findings import Evidence, Finding, Severity, Subject
from eksnetpol.model.snapshot import SourceKind

UNSEEN = (
    "whether /sys/fs/bpf really is a BPF filesystem",
    "whether a custom kernel has type information (/sys/kernel/btf/vmlinux)",
    "whether rules of another engine are left (iptables cali-, CILIUM_, KUBE-NWPLCY, WEAVE-NPC)",
    "whether 10-aws.conflist is the first file in /etc/cni/net.d, and aws-cni the first plug-in in it",
    "whether the agent still writes verdicts into its log",
)
"""What the API does not tell of a node."""

LOOK = (
    "stat -f -c %T /sys/fs/bpf; ls /sys/kernel/btf/vmlinux /etc/cni/net.d; "
    "iptables-save | grep -cE 'cali-|CILIUM_|KUBE-NWPLCY|WEAVE-NPC'; "
    "tail -n 3 /var/log/aws-routed-eni/network-policy-agent.log"
)


@check(
    title="the nodes themselves were looked at",
    severity=Severity.ADVICE,
    docs=TROUBLESHOOT,
    sources=(
        TROUBLESHOOT,
        "aws/aws-network-policy-agent#249",
        "aws/aws-network-policy-agent#580",
        "aws/amazon-vpc-cni-k8s#589",
        "cilium/cilium#23159",
    ),
    intents=ENFORCING,
)
def node_state_was_looked_at(node_kinds: NodeKinds, source: SourceKind) -> Iterator[Finding | Evidence]:
    """
    Preflight reads what AWS and the Kubernetes API tell and starts nothing on a node. Some conditions live only there: these are
    listed, so that nobody takes silence for an answer, with a way to look at one node by hand.
    """
    if source is SourceKind.MANIFESTS:
        raise NotApplicable("files have no nodes")
    if not node_kinds.linux_ec2:
        yield Evidence("no node runs the aws-node DaemonSet, so none needs to be looked at")
        return
    name = node_kinds.linux_ec2[0].name
    yield Finding(
        subject=Subject("Section", "node-state"),
        message=f"the state of {count(len(node_kinds.linux_ec2), 'node')} was not looked at: {len(UNSEEN)} questions stay open",
        remedy="Look at one node of each kind before you enable policies.",
        command=f"kubectl debug node/{name} -it --profile=sysadmin --image=public.ecr.aws/amazonlinux/amazonlinux:2023 "
        f'-- chroot /host sh -c "{LOOK}"',
        evidence=UNSEEN,
    )
