"""Node images are known to mount the BPF filesystem."""

from __future__ import annotations

import re
from collections.abc import Iterator

from eksnetpol.assets.releases import Matrix
from eksnetpol.checks.declare import BEFORE_POLICY, CONFIGURE, check
from eksnetpol.facts.node_groups import fold
from eksnetpol.facts.platform import NodeKinds, release_date_of
from eksnetpol.facts.vpc_cni import AGENT_CONTAINERS, Switch, Switches
from eksnetpol.model.eks import Nodegroup
from eksnetpol.model.findings import Evidence, Finding, Severity, Subject, Unknown
from eksnetpol.model.kubernetes import AgentPod, Node
from eksnetpol.model.snapshot import Unread
from eksnetpol.model.versions import KubernetesVersion, Release

MOUNTS_BY_DEFAULT = KubernetesVersion(1, 27)
FIRST_AMAZON_LINUX = 20230703
FIRST_BOTTLEROCKET = Release(1, 0, 2)

_BOTTLEROCKET = re.compile(r"Bottlerocket OS (\d+\.\d+\.\d+)")


@check(
    title="node images mount the BPF filesystem",
    severity=Severity.BLOCKER,
    docs=CONFIGURE,
    sources=(CONFIGURE, "https://github.com/aws/aws-network-policy-agent/blob/main/README.md"),
    intents=BEFORE_POLICY,
)
def images_mount_the_bpf_filesystem(
    node_kinds: NodeKinds,
    nodegroups: tuple[Nodegroup, ...] | Unread,
    agent_pods: tuple[AgentPod, ...] | Unread,
    agent_release: Release | Unread,
    switches: Switches | Unread,
    releases: Matrix,
) -> Iterator[Finding | Unknown | Evidence]:
    """
    The agent pins its programs and maps under /sys/fs/bpf, which must be a BPF filesystem. EKS images mount it for Kubernetes
    1.27 and later, and for older ones from Amazon Linux release v20230703 and Bottlerocket v1.0.2 on. Of a custom image the API
    does not tell; there an agent of v1.4.1 or later that is switched on and ready is the proof, because it looks itself.
    """
    named = {} if isinstance(nodegroups, Unread) else {g.nodegroup_name: g for g in nodegroups}
    proven = _proven(agent_pods, agent_release, switches, releases)
    yield Evidence(f"{len(node_kinds.linux_ec2)} Linux nodes, {len(proven)} of them proven by their agent")
    for maker, nodes in fold(n for n in node_kinds.linux_ec2 if n.name not in proven).items():
        group = named.get(maker.name) if maker.kind == "Nodegroup" else None
        # The nodes of one group have one image, but for the time it is replaced: one answer of each kind is enough.
        answers = {str(said): said for said in (_judge(maker, n, group) for n in nodes) if said is not None}
        yield from answers.values()


def _proven(
    pods: tuple[AgentPod, ...] | Unread, release: Release | Unread, switches: Switches | Unread, releases: Matrix
) -> frozenset[str]:
    looks = releases.feature["readiness-endpoints"].agent
    if isinstance(pods, Unread) or isinstance(release, Unread) or isinstance(switches, Unread) or looks is None:
        return frozenset()
    if release.base < looks or switches.agent is not Switch.ON:
        return frozenset()
    return frozenset(
        pod.spec.node_name for pod in pods if any(s.name in AGENT_CONTAINERS and s.ready for s in pod.status.container_statuses)
    )


def _judge(maker: Subject, node: Node, group: Nodegroup | None) -> Finding | Unknown | None:
    info = node.status.node_info
    if found := _BOTTLEROCKET.search(info.os_image):
        return None if Release.parse(found[1]) >= FIRST_BOTTLEROCKET else _finding(maker, found[0], str(FIRST_BOTTLEROCKET))
    if "Amazon Linux" not in info.os_image:
        return Unknown(maker, f"{info.os_image or 'an unnamed system'} is no EKS image: see whether user data mounts /sys/fs/bpf")
    return _judge_amazon_linux(maker, node, group)


def _judge_amazon_linux(maker: Subject, node: Node, group: Nodegroup | None) -> Finding | Unknown | None:
    info = node.status.node_info
    if group is not None and group.ami_type == "CUSTOM":
        return Unknown(maker, "a custom image: see whether it or the user data mounts /sys/fs/bpf")
    try:
        if KubernetesVersion.parse(info.kubelet_version) >= MOUNTS_BY_DEFAULT:
            return None
    except ValueError:
        return Unknown(maker, f"the kubelet's version {info.kubelet_version!r} cannot be read")
    date = None if group is None else release_date_of(group.release_version)
    if date is None:
        return Unknown(maker, f"kubelet {info.kubelet_version} on an image whose release date is not known")
    release = f"Amazon Linux release v{date}"
    return None if date >= FIRST_AMAZON_LINUX else _finding(maker, release, f"v{FIRST_AMAZON_LINUX}")


def _finding(maker: Subject, image: str, first: str) -> Finding:
    return Finding(
        subject=maker,
        message=f"{image} does not mount /sys/fs/bpf; images from {first} on do",
        remedy="Update the node group's image, or mount it in user data before the kubelet starts.",
        command="sudo mount -t bpf bpffs /sys/fs/bpf",
    )
