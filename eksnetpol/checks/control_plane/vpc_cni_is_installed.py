"""The VPC CNI is there."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import LIMIT, NotApplicable, check
from eksnetpol.checks.parts import AWS_NODE
from eksnetpol.engines.engine import Life, Mode, Presence
from eksnetpol.facts.changing import Changing
from eksnetpol.facts.vpc_cni import VpcCni
from eksnetpol.model.eks import Cluster
from eksnetpol.model.findings import Evidence, Finding, Severity, Unknown
from eksnetpol.model.snapshot import Unread


@check(
    title="the Amazon VPC CNI connects the pods of this cluster",
    severity=Severity.BLOCKER,
    docs=LIMIT,
    sources=(LIMIT,),
)
def vpc_cni_is_installed(
    vpc_cni: VpcCni | None, cluster: Cluster | Unread, engines: tuple[Presence, ...], changing: Changing
) -> Iterator[Finding | Unknown | Evidence]:
    """
    Network policy on EKS is a part of the VPC CNI: its agent is a container of the DaemonSet aws-node. With another CNI there is
    nothing to switch on. Nodes of EKS Auto Mode have both built in, without that DaemonSet.
    """
    if vpc_cni is not None:
        status = vpc_cni.workload.status
        yield Evidence(f"aws-node is there, ready on {status.number_ready} of {status.desired_number_scheduled} nodes")
        return
    if isinstance(cluster, Unread):
        yield Unknown(AWS_NODE, f"there is no aws-node; whether EKS Auto Mode stands in for it is not known: {cluster.reason}")
        return
    if cluster.has_auto_mode:
        raise NotApplicable("nodes of EKS Auto Mode have the VPC CNI and its agent built in")
    live = {e.mode: e for e in engines if e.life is Life.LIVE}
    other = live.get(Mode.FULL_CNI)
    if other is not None:
        yield Finding(
            subject=AWS_NODE,
            message=f"{other.title} connects the pods, and there is no aws-node: its network policy is part of the VPC CNI",
            remedy="Pods get another network with the VPC CNI, so nodes have to be replaced; see what moving would take.",
            command="eksnetpol preflight --for migrate",
        )
        return
    unsure = live.get(Mode.UNKNOWN)
    yield Finding(
        subject=AWS_NODE,
        message="there is no DaemonSet kube-system/aws-node with a container aws-node; network policy is part of the VPC CNI",
        remedy="Install the add-on vpc-cni."
        if unsure is None
        else f"See whether {unsure.title} connects the pods: two CNIs must not meet on a node. If it does not, install vpc-cni.",
        command=changing.aws("create-addon", "--addon-name", "vpc-cni", "--resolve-conflicts", "OVERWRITE")
        if unsure is None
        else "kubectl get daemonsets -A",
    )
