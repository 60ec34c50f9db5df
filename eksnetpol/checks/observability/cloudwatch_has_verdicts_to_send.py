"""CloudWatch logging is not on without anything to send."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import TROUBLESHOOT, NotApplicable, check
from eksnetpol.facts.agent_logging import AgentLogging
from eksnetpol.facts.changing import Changing
from eksnetpol.facts.vpc_cni import DAEMONSET, NAMESPACE
from eksnetpol.model.findings import Evidence, Finding, Severity, Subject


@check(
    title="CloudWatch logging has verdicts to send",
    severity=Severity.WARNING,
    docs=TROUBLESHOOT,
    sources=("aws/aws-network-policy-agent#129", TROUBLESHOOT),
)
def cloudwatch_has_verdicts_to_send(agent_logging: AgentLogging | None, changing: Changing) -> Iterator[Finding | Evidence]:
    """
    Since agent v1.0.4 (VPC CNI v1.15.1) the agent sends its verdicts to CloudWatch only when event logs are on too: with
    enableCloudWatchLogs alone the log group stays empty, and no error says so.
    """
    if agent_logging is None or not agent_logging.cloudwatch:
        raise NotApplicable("the agent does not send to CloudWatch")
    yield Evidence(f"event logs {'on' if agent_logging.events else 'off'}")
    if not agent_logging.events:
        yield Finding(
            subject=Subject("DaemonSet", DAEMONSET, NAMESPACE),
            message="enable-cloudwatch-logs is true and enable-policy-event-logs is not: nothing will be sent",
            remedy=f"Switch event logs on as well, or CloudWatch logging off, {changing.place}.",
            command=changing.set("nodeAgent.enablePolicyEventLogs", "true"),
        )
