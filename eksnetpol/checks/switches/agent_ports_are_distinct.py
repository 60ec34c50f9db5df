"""Metrics and health of the agent have a port each."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import CONFIGURE, check
from eksnetpol.checks.parts import AWS_NODE, agent_of
from eksnetpol.facts.agent_ports import HEALTH, METRICS, AgentPorts
from eksnetpol.facts.changing import Changing
from eksnetpol.facts.vpc_cni import VpcCni
from eksnetpol.model.findings import Evidence, Finding, Severity, Unknown
from eksnetpol.model.snapshot import Unread


@check(
    title="the agent's metrics and health endpoints have a port each",
    severity=Severity.BLOCKER,
    docs=CONFIGURE,
    sources=("aws/amazon-vpc-cni-k8s#2540", CONFIGURE),
)
def agent_ports_are_distinct(
    vpc_cni: VpcCni | None, agent_ports: AgentPorts | Unread, changing: Changing
) -> Iterator[Finding | Unknown | Evidence]:
    """
    The agent listens twice on the node, for metrics and for health. Where both are given one port, the second listener fails and
    the agent exits.
    """
    agent_of(vpc_cni)
    if isinstance(agent_ports, Unread):
        yield Unknown(AWS_NODE, agent_ports.reason)
        return
    ports = agent_ports.ports
    yield Evidence(f"metrics {ports.get(METRICS, 'off')}, health {ports.get(HEALTH, 'off')}")
    if METRICS in ports and ports[METRICS] == ports.get(HEALTH):
        other = 8163 if ports[METRICS] != 8163 else 8164  # noqa: PLR2004 - the default, and the next free one
        yield Finding(
            subject=AWS_NODE,
            message=f"metrics and health of the agent are both on port {ports[METRICS]}: the agent exits as it starts",
            remedy=f"Give each its own port, {changing.place}.",
            command=changing.set("nodeAgent.healthProbeBindAddr", str(other)),
        )
