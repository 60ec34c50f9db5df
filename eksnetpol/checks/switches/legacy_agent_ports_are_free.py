"""Nobody else claims the ports that only older agents listen on."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.assets.releases import Matrix
from eksnetpol.checks.declare import AGENT_README, NotApplicable, check
from eksnetpol.checks.parts import AWS_NODE, agent_of
from eksnetpol.checks.words import listed
from eksnetpol.facts.agent_ports import HostPorts
from eksnetpol.facts.changing import Changing
from eksnetpol.facts.vpc_cni import VpcCni
from eksnetpol.model.findings import Evidence, Finding, Severity, Unknown
from eksnetpol.model.snapshot import Unread
from eksnetpol.model.versions import Release

GRPC, OLD_METRICS = 50052, 61680


@check(
    title="no other pod claims the ports that older agents listen on besides",
    severity=Severity.WARNING,
    docs=AGENT_README,
    sources=("aws/aws-network-policy-agent#435", "aws/aws-network-policy-agent#45"),
)
def legacy_agent_ports_are_free(
    vpc_cni: VpcCni | None,
    agent_release: Release | Unread,
    host_ports: HostPorts,
    releases: Matrix,
    changing: Changing,
) -> Iterator[Finding | Unknown | Evidence]:
    """
    Agents v1.1.0 to v1.2.5 answer the CNI on 127.0.0.1:50052, and those up to v1.2.2 serve metrics on port 61680 besides. Neither
    port can be moved. Another pod on the host network with one of them keeps the agent from starting, or the other way round.
    """
    agent_of(vpc_cni)
    if isinstance(agent_release, Unread):
        yield Unknown(AWS_NODE, agent_release.reason)
        return
    release = agent_release.base
    strict = releases.feature["strict-mode"].agent
    socket = min(p.agent for p in releases.pairing)
    moved = releases.feature["metrics-on-one-port"].agent
    ports = {}
    if strict is not None and strict <= release < socket:
        ports[GRPC] = "127.0.0.1, for the CNI"
    if moved is not None and release < moved:
        ports[OLD_METRICS] = "all addresses, for metrics"
    if not ports:
        raise NotApplicable(f"agent {agent_release} listens on no port but its own two")
    yield Evidence(f"agent {agent_release} listens on {', '.join(map(str, ports))} too")
    for port, claim in host_ports.on(*ports):
        # A hostPort is forwarded before it could meet a listener on the loopback address.
        if port == GRPC and port not in claim.on_host:
            continue
        where = f" on {listed(claim.nodes, 3)}" if claim.nodes else ""
        yield Finding(
            subject=claim.workload,
            message=f"this workload claims port {port}{where}, on which agent {agent_release} listens ({ports[port]})",
            remedy=f"Move the workload's port, or upgrade to agent {socket} or later, which has no such port.",
            command=changing.upgrade(min(p.cni for p in releases.pairing)),
        )
    if host_ports.pods is not None:
        yield Unknown(AWS_NODE, f"which pods claim {', '.join(map(str, ports))} is not known: {host_ports.pods.reason}")
