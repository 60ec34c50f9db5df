"""CNI and agent share the directory of the socket they speak through."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.assets.releases import Matrix
from eksnetpol.checks.declare import CNI_README, NotApplicable, check
from eksnetpol.facts.vpc_cni import DAEMONSET, NAMESPACE, VpcCni
from eksnetpol.model.findings import Evidence, Finding, Intent, Severity, Subject, Unknown
from eksnetpol.model.kubernetes import Container
from eksnetpol.model.snapshot import Unread
from eksnetpol.model.versions import Release

RUN = "/var/run/aws-node"


@check(
    title="CNI and agent share the directory of their socket",
    severity=Severity.BLOCKER,
    docs=CNI_README,
    sources=("aws/aws-network-policy-agent#435",),
    intents=frozenset({Intent.ENABLE, Intent.UPGRADE, Intent.MIGRATE}),
)
def containers_share_the_socket_directory(
    vpc_cni: VpcCni | None, cni_release: Release | Unread, releases: Matrix
) -> Iterator[Finding | Unknown | Evidence]:
    """
    From VPC CNI v1.20.2 (agent v1.2.6) on, the CNI tells the agent of new pods through a socket in /var/run/aws-node. Both
    containers must mount that directory of the host; otherwise each new pod fails with "failed to setup network policy".
    """
    if vpc_cni is None or vpc_cni.agent is None:
        raise NotApplicable("aws-node has no network policy agent")
    since = releases.feature["socket-directory"].cni
    if since is None or (isinstance(cni_release, Release) and cni_release.base < since):
        raise NotApplicable(f"before {since} the agent listens on a TCP port")
    hosts = {
        v.name
        for v in vpc_cni.workload.spec.template.spec.volumes
        if v.host_path is not None and v.host_path.path.rstrip("/") == RUN
    }
    missing = [c.name for c in (vpc_cni.cni, vpc_cni.agent) if not _mounts(c, hosts)]
    subject = Subject("DaemonSet", DAEMONSET, NAMESPACE)
    if not missing:
        yield Evidence(f"{RUN} is mounted in both")
    elif isinstance(cni_release, Unread):
        yield Unknown(subject, f"{' and '.join(missing)} lacks {RUN}, which matters from {since} on: {cni_release.reason}")
    else:
        yield Finding(
            subject=subject,
            message=f"{' and '.join(missing)} does not mount {RUN} of the host, where {cni_release} has its socket",
            remedy="Take the DaemonSet from the add-on, the chart or the manifest of this release, with volume run-dir.",
            command=f"kubectl get daemonset {DAEMONSET} -n {NAMESPACE} -o yaml",
        )


def _mounts(container: Container, hosts: set[str]) -> bool:
    return any(m.name in hosts and m.mount_path.rstrip("/") == RUN for m in container.volume_mounts)
