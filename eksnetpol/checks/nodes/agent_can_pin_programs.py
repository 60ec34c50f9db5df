"""The agent has the host's BPF filesystem mounted."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import CNI_README, NotApplicable, check
from eksnetpol.facts.vpc_cni import DAEMONSET, NAMESPACE, VpcCni
from eksnetpol.model.findings import Evidence, Finding, Intent, Severity, Subject

BPF = "/sys/fs/bpf"


@check(
    title="the agent's container mounts the host's BPF filesystem",
    severity=Severity.BLOCKER,
    docs=CNI_README,
    sources=("https://github.com/aws/amazon-vpc-cni-k8s/blob/master/config/master/aws-k8s-cni.yaml",),
    intents=frozenset({Intent.ENABLE, Intent.UPGRADE, Intent.MIGRATE}),
)
def agent_can_pin_programs(vpc_cni: VpcCni | None) -> Iterator[Finding | Evidence]:
    """
    The agent keeps programs and maps pinned under /sys/fs/bpf of the host, so that rules survive a restart of its container.
    Without that hostPath, at that place in its container, it cannot pin anything, and pods lose their rules when it restarts.
    """
    if vpc_cni is None or vpc_cni.agent is None:
        raise NotApplicable("aws-node has no network policy agent")
    volumes = {
        v.name
        for v in vpc_cni.workload.spec.template.spec.volumes
        if v.host_path is not None and v.host_path.path.rstrip("/") == BPF
    }
    mounts = {m.name for m in vpc_cni.agent.volume_mounts if m.mount_path.rstrip("/") == BPF}
    if volumes & mounts:
        yield Evidence(f"volume {min(volumes & mounts)}")
        return
    missing = f"no hostPath volume {BPF}" if not volumes else f"no mount of it at {BPF}"
    yield Finding(
        subject=Subject("DaemonSet", DAEMONSET, NAMESPACE),
        message=f"container {vpc_cni.agent.name} has {missing}: the agent cannot pin its programs",
        remedy="Take the DaemonSet from the add-on, the chart or the manifest of this release, with volume bpf-pin-path.",
        command=f"kubectl get daemonset {DAEMONSET} -n {NAMESPACE} -o yaml",
    )
