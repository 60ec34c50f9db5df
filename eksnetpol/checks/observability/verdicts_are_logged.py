"""The agent logs its verdicts."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import TROUBLESHOOT, NotApplicable, check
from eksnetpol.checks.parts import ENFORCING
from eksnetpol.facts.agent_logging import AgentLogging
from eksnetpol.facts.changing import Changing
from eksnetpol.facts.vpc_cni import DAEMONSET, NAMESPACE
from eksnetpol.model.findings import Evidence, Finding, Severity, Subject


@check(
    title="the agent logs what it denies",
    severity=Severity.ADVICE,
    docs=TROUBLESHOOT,
    sources=(TROUBLESHOOT, "aws/aws-network-policy-agent#47"),
    intents=ENFORCING,
)
def verdicts_are_logged(agent_logging: AgentLogging | None, changing: Changing) -> Iterator[Finding | Evidence]:
    """
    Without event logs a denied connection is a timeout and nothing else: no record says which pod, which port, which policy. They
    cost up to one vCPU per node, so switch them on while you roll policies out and when you look for a cause.
    """
    if agent_logging is None:
        raise NotApplicable("aws-node has no network policy agent that is switched on")
    yield Evidence(f"event logs {'on' if agent_logging.events else 'off'}")
    if not agent_logging.events:
        yield Finding(
            subject=Subject("DaemonSet", DAEMONSET, NAMESPACE),
            message="event logs are off: nothing records what the agent denies",
            remedy=f"Switch event logs on for as long as you need them, {changing.place}.",
            command=changing.set("nodeAgent.enablePolicyEventLogs", "true"),
        )
