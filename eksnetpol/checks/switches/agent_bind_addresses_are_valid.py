"""The agent's addresses can be listened on."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import CONFIGURE, check
from eksnetpol.checks.parts import AWS_NODE, agent_of
from eksnetpol.facts.agent_ports import DEFAULTS, AgentPorts
from eksnetpol.facts.changing import Changing
from eksnetpol.facts.configuration import AGENT_FLAGS
from eksnetpol.facts.vpc_cni import VpcCni
from eksnetpol.model.findings import Evidence, Finding, Severity, Unknown
from eksnetpol.model.snapshot import Unread

KEYS = {flag: path for path, flag in AGENT_FLAGS.items()}


@check(
    title="the agent's metrics and health addresses can be listened on",
    severity=Severity.BLOCKER,
    docs=CONFIGURE,
    sources=("https://github.com/aws/amazon-vpc-cni-k8s/blob/master/charts/aws-vpc-cni/templates/daemonset.yaml", CONFIGURE),
)
def agent_bind_addresses_are_valid(
    vpc_cni: VpcCni | None, agent_ports: AgentPorts | Unread, changing: Changing
) -> Iterator[Finding | Unknown | Evidence]:
    """
    The chart writes the two ports into text, so they have to be text themselves: set as numbers (plain --set of Helm does that)
    they come out as something that is no address, and the agent exits as it starts.
    """
    agent_of(vpc_cni)
    if isinstance(agent_ports, Unread):
        yield Unknown(AWS_NODE, agent_ports.reason)
        return
    yield Evidence(", ".join(f"--{flag}: {port}" for flag, port in agent_ports.ports.items()) or "no port")
    for flag, text in agent_ports.broken.items():
        yield Finding(
            subject=AWS_NODE,
            message=f"--{flag} is {text!r}, which is no address such as :{DEFAULTS[flag]}: the agent cannot listen there",
            remedy=f"Set {KEYS[flag]} to a port in quotes, {changing.place}.",
            command=changing.set(KEYS[flag], str(DEFAULTS[flag])),
        )
