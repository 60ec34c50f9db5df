"""Every Linux EC2 node has an aws-node pod whose containers are ready."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import TROUBLESHOOT, NotApplicable, check
from eksnetpol.checks.parts import installed
from eksnetpol.facts.platform import NodeKinds
from eksnetpol.facts.vpc_cni import AGENT_CONTAINERS, VpcCni
from eksnetpol.model.findings import Evidence, Finding, Severity, Subject
from eksnetpol.model.kubernetes import AgentPod, ContainerStatus, Node

ALL_PODS = "kubectl get pods -n kube-system -l k8s-app=aws-node -o wide"


@check(
    title="every Linux EC2 node has an aws-node pod with CNI and agent ready",
    severity=Severity.BLOCKER,
    docs=TROUBLESHOOT,
    sources=("https://docs.aws.amazon.com/eks/latest/userguide/cni-network-policy-configure.html", TROUBLESHOOT),
)
def every_node_runs_the_agent(
    vpc_cni: VpcCni | None, node_kinds: NodeKinds, agent_pods: tuple[AgentPod, ...]
) -> Iterator[Finding | Evidence]:
    """
    Each node enforces for itself. Without an aws-node pod, or with its agent waiting or crashing, pods of that node are not
    policed, and from VPC CNI v1.19.3 on new ones do not start either. Nodes of Fargate, Windows, hybrid and Auto Mode have none.
    """
    cni = installed(vpc_cni)
    if not node_kinds.linux_ec2:
        raise NotApplicable("there are no Linux EC2 nodes that aws-node serves")
    pods = {p.spec.node_name: p for p in agent_pods if p.metadata.deletion_timestamp is None}
    nodes = [n for n in node_kinds.linux_ec2 if n.metadata.deletion_timestamp is None]
    bad = 0
    for node in nodes:
        finding = _of(node, pods.get(node.name), wants_agent=cni.agent is not None)
        if finding is not None:
            bad += 1
            yield finding
    yield Evidence(f"aws-node is ready on {len(nodes) - bad} of {len(nodes)} Linux EC2 nodes")


def _of(node: Node, pod: AgentPod | None, *, wants_agent: bool) -> Finding | None:
    subject = Subject("Node", node.name)
    if pod is None:
        return Finding(
            subject=subject,
            message="no aws-node pod runs on this node: nothing is enforced here",
            remedy="See whether the DaemonSet's affinity and node selector admit the node, and whether a pod is pending.",
            command=ALL_PODS,
        )
    statuses = pod.status.container_statuses
    waiting = [_state(c) for c in statuses if not c.ready]
    if waiting or not statuses:
        agent = next((c.name for c in statuses if not c.ready and c.name in AGENT_CONTAINERS), "aws-node")
        seen = ", ".join(waiting) or f"no container has started (the pod is {pod.status.phase or 'Pending'})"
        return Finding(
            subject=subject,
            message=f"aws-node is not ready: {seen}",
            remedy="The container's log and the pod's events say why.",
            command=f"kubectl logs -n kube-system {pod.metadata.name} -c {agent} --tail=50"
            if waiting
            else f"kubectl describe pod -n kube-system {pod.metadata.name}",
        )
    if wants_agent and not any(c.name in AGENT_CONTAINERS for c in statuses):
        return Finding(
            subject=subject,
            message=f"the aws-node pod of this node has no agent container ({len(statuses)} of 2 containers)",
            remedy="It is of an older revision of the DaemonSet; deleting it brings one of the current revision.",
            command=f"kubectl delete pod -n kube-system {pod.metadata.name}",
        )
    return None


def _state(container: ContainerStatus) -> str:
    state = container.state.waiting or container.state.terminated
    reason = state.reason if state is not None and state.reason else "not ready"
    restarts = f" after {container.restart_count} restarts" if container.restart_count else ""
    return f"{container.name} is {reason}{restarts}"
