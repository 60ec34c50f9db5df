"""The agent has memory enough."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import AGENT_README, check
from eksnetpol.checks.parts import AWS_NODE, ENFORCING, agent_of
from eksnetpol.facts.changing import Changing
from eksnetpol.facts.vpc_cni import AGENT_CONTAINERS, Manager, VpcCni
from eksnetpol.model.findings import Evidence, Finding, Severity, Subject, Unknown
from eksnetpol.model.kubernetes import AgentPod
from eksnetpol.model.quantities import parse_quantity
from eksnetpol.model.snapshot import Unread

LEAST = "256Mi"
"""A rule of thumb of this tool; AWS names no figure, and manifests set no limit at all."""


@check(
    title="the agent has memory enough and was not killed for want of it",
    severity=Severity.WARNING,
    docs=AGENT_README,
    sources=(
        "aws/aws-network-policy-agent#213",
        "aws/aws-network-policy-agent#416",
        "aws/aws-network-policy-agent#417",
        "aws/aws-network-policy-agent#520",
    ),
    intents=ENFORCING,
)
def agent_has_enough_memory(
    vpc_cni: VpcCni | None, agent_pods: tuple[AgentPod, ...] | Unread, changing: Changing
) -> Iterator[Finding | Unknown | Evidence]:
    """
    An agent that is killed for memory stops updating rules, and from VPC CNI v1.19.3 on no pod starts on its node meanwhile.
    Memory grows with policies and pods, and agents before v1.3.4 leak. Manifests set no limit; one below 256Mi is a heuristic
    for trouble.
    """
    limit = agent_of(vpc_cni).resources.limits.get("memory")
    bytes_ = None if limit is None else parse_quantity(limit)
    least = parse_quantity(LEAST)
    yield Evidence(f"memory limit of the agent: {limit or 'none'}")
    if limit is not None and bytes_ is None:
        yield Unknown(AWS_NODE, f"the agent's memory limit {limit!r} cannot be read")
    elif bytes_ is not None and least is not None and bytes_ < least:
        yield Finding(
            subject=AWS_NODE,
            message=f"the agent's memory limit is {limit}; below {LEAST} (a rule of thumb) it risks being killed",
            remedy=f"Raise it to what the busiest node needs, {changing.place}.",
            command="kubectl set resources daemonset aws-node -n kube-system -c aws-eks-nodeagent --limits=memory=512Mi"
            if changing.manager is Manager.MANIFEST
            else changing.set("nodeAgent.resources.limits.memory", "512Mi"),
        )
    if isinstance(agent_pods, Unread):
        yield Unknown(AWS_NODE, f"whether agents were killed for memory is not known: {agent_pods.reason}")
        return
    for pod in agent_pods:
        for status in pod.status.container_statuses:
            states = [status.state.terminated, status.last_state.terminated]
            if status.name in AGENT_CONTAINERS and any(s is not None and s.reason == "OOMKilled" for s in states):
                yield Finding(
                    subject=Subject("Node", pod.spec.node_name),
                    message=f"the agent of this node was killed for memory; it has restarted {status.restart_count} times",
                    remedy="Raise its memory limit, and run agent v1.3.4 or later, which leaks no memory.",
                    command=f"kubectl describe pod -n kube-system {pod.metadata.name}",
                )
