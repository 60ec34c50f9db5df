"""The DaemonSet's last change has reached every node."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import CONFIGURE, check
from eksnetpol.checks.parts import AWS_NODE, installed
from eksnetpol.checks.words import listed
from eksnetpol.facts.vpc_cni import VpcCni
from eksnetpol.model.findings import Evidence, Finding, Severity
from eksnetpol.model.kubernetes import AgentPod
from eksnetpol.model.snapshot import Unread


@check(
    title="the last change of aws-node has reached every node",
    severity=Severity.BLOCKER,
    docs=CONFIGURE,
    sources=("aws/amazon-vpc-cni-k8s#2272", CONFIGURE),
)
def rollout_is_finished(
    vpc_cni: VpcCni | None, agent_pods: tuple[AgentPod, ...] | Unread
) -> Iterator[Finding | Evidence]:
    """
    A changed switch takes effect on a node when its aws-node pod is replaced. While a roll-out is under way or stuck, some nodes
    enforce and others do not, and a further change lands on top of an unfinished one.
    """
    workload = installed(vpc_cni).workload
    status, generation = workload.status, workload.metadata.generation
    desired, updated, ready = status.desired_number_scheduled, status.updated_number_scheduled, status.number_ready
    yield Evidence(f"aws-node: {updated} of {desired} updated, {ready} of {desired} ready")
    unseen = status.observed_generation < generation
    if not unseen and updated >= desired and ready >= desired:
        return
    if unseen:
        seen = f"generation {generation} has not been acted on yet (observed: {status.observed_generation})"
    else:
        seen = f"{updated} of {desired} pods are up to date, {ready} of {desired} are ready"
    on_delete = workload.spec.update_strategy.type == "OnDelete"
    yield Finding(
        subject=AWS_NODE,
        message=f"the roll-out of aws-node is not finished: {seen}",
        remedy="The update strategy is OnDelete: pods change only when you delete them."
        if on_delete
        else "Wait for it; where it does not move, see why the pods that are left do not become ready.",
        command="kubectl rollout status daemonset/aws-node -n kube-system",
        evidence=_lagging(agent_pods),
    )


def _lagging(agent_pods: tuple[AgentPod, ...] | Unread) -> tuple[str, ...]:
    if isinstance(agent_pods, Unread):
        return ()
    nodes = [p.spec.node_name for p in agent_pods if not all(c.ready for c in p.status.container_statuses)]
    return (f"not ready on {listed(sorted(nodes), 10)}",) if nodes else ()
