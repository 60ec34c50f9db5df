"""Nobody else claims the agent's ports on its nodes."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import CONFIGURE, check
from eksnetpol.checks.parts import AWS_NODE, agent_of
from eksnetpol.checks.words import listed
from eksnetpol.facts.agent_ports import METRICS, AgentPorts, HostPorts
from eksnetpol.facts.changing import Changing
from eksnetpol.facts.vpc_cni import VpcCni
from eksnetpol.model.findings import Evidence, Finding, Severity, Unknown
from eksnetpol.model.snapshot import Unread


@check(
    title="no other pod claims the agent's ports on its nodes",
    severity=Severity.BLOCKER,
    docs=CONFIGURE,
    sources=("aws/amazon-vpc-cni-k8s#2539", "aws/amazon-vpc-cni-k8s#2540", "aws/aws-network-policy-agent#45"),
)
def agent_ports_are_free(
    vpc_cni: VpcCni | None, agent_ports: AgentPorts | Unread, host_ports: HostPorts, changing: Changing
) -> Iterator[Finding | Unknown | Evidence]:
    """
    The agent listens on ports of the node. Another pod on the host network, or with a hostPort, that claims one of them keeps the
    agent from starting or is itself kept from starting. The manifest declares the metrics port alone, so the scheduler does not
    see a conflict over the other; processes outside of Kubernetes are not seen here either.
    """
    agent_of(vpc_cni)
    if isinstance(agent_ports, Unread):
        yield Unknown(AWS_NODE, agent_ports.reason)
        return
    flags = {port: flag for flag, port in agent_ports.ports.items()}
    yield Evidence(f"the agent's ports: {', '.join(map(str, flags)) or 'none'}")
    for port, claim in host_ports.on(*flags):
        key = "metricsBindAddr" if flags[port] == METRICS else "healthProbeBindAddr"
        how = "on the host network" if port in claim.on_host else "as a hostPort"
        where = f" on {listed(claim.nodes, 3)}" if claim.nodes else ""
        yield Finding(
            subject=claim.workload,
            message=f"port {port}, the agent's --{flags[port]}, is also claimed by this workload {how}{where}",
            remedy=f"Move one of them; the agent's is nodeAgent.{key}, {changing.place}.",
            command=changing.set(f"nodeAgent.{key}", str(_free(port, host_ports, set(flags)))),
        )
    if host_ports.pods is not None:
        yield Unknown(AWS_NODE, f"which pods claim ports {', '.join(map(str, flags))} is not known: {host_ports.pods.reason}")


def _free(port: int, host_ports: HostPorts, own: set[int]) -> int:
    taken = own.union(*(claim.ports for claim in host_ports.claims))
    return next(p for p in range(port + 100, port + 20000) if p not in taken)
