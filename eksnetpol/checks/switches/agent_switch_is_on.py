"""The agent's switch is on wherever the controller's is."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import CONFIGURE, NotApplicable, check
from eksnetpol.checks.parts import AWS_NODE, ENFORCING, installed
from eksnetpol.facts.changing import Changing
from eksnetpol.facts.platform import NodeKinds
from eksnetpol.facts.vpc_cni import AGENT_FLAG, Switch, Switches, VpcCni
from eksnetpol.model.findings import Evidence, Finding, Severity
from eksnetpol.model.snapshot import Unread


@check(
    title="the agent is switched on where the policy controller is",
    severity=Severity.BLOCKER,
    docs=CONFIGURE,
    sources=("aws/aws-network-policy-agent#231", CONFIGURE),
    intents=ENFORCING,
)
def agent_switch_is_on(
    switches: Switches, vpc_cni: VpcCni | None, node_kinds: NodeKinds | Unread, changing: Changing
) -> Iterator[Finding | Evidence]:
    """
    Two switches are independent. With the controller's alone PolicyEndpoints appear and everything looks enabled, but no node
    enforces them: the agent does so only with --enable-network-policy=true. Nodes of Auto Mode and Fargate have no such agent, so
    a cluster without other nodes is left alone.
    """
    cni = installed(vpc_cni)
    if not isinstance(node_kinds, Unread) and not node_kinds.linux_ec2:
        raise NotApplicable("there are no Linux EC2 nodes that aws-node serves")
    yield Evidence(f"controller {switches.controller}, agent {switches.agent}")
    if switches.controller is not Switch.ON or switches.agent is Switch.ON:
        return
    if cni.agent is None:
        yield Finding(
            subject=AWS_NODE,
            message="the controller is switched on, but aws-node has no agent container: no EC2 node enforces PolicyEndpoints",
            remedy=f"Bring the agent back: nodeAgent.enabled=true {changing.place}, or the manifest's own container.",
            command=changing.restore(),
        )
        return
    said = cni.args.get(AGENT_FLAG)
    seen = "is not set" if said is None else f"is {said!r}"
    yield Finding(
        subject=AWS_NODE,
        message=f"the controller is switched on, but --{AGENT_FLAG} {seen}: PolicyEndpoints appear, no EC2 node enforces them",
        remedy=f'Set both switches together: enableNetworkPolicy to "true", {changing.place}.',
        command=changing.enable(changing.set("enableNetworkPolicy", "true")),
    )
