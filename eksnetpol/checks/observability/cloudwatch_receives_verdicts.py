"""Verdicts arrive in CloudWatch."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from eksnetpol.checks.declare import TROUBLESHOOT, NotApplicable, check
from eksnetpol.facts.agent_logging import AgentLogging
from eksnetpol.facts.changing import Changing
from eksnetpol.model.eks import LogStreams
from eksnetpol.model.findings import Evidence, Finding, Intent, Severity, Subject, Unknown
from eksnetpol.model.snapshot import Unread


@check(
    title="verdicts arrive in CloudWatch",
    severity=Severity.ADVICE,
    docs=TROUBLESHOOT,
    sources=("aws/aws-network-policy-agent#129", TROUBLESHOOT),
    intents=frozenset({Intent.ENABLE, Intent.UPGRADE}),
)
def cloudwatch_receives_verdicts(
    agent_logging: AgentLogging | None, log_streams: LogStreams | Unread, changing: Changing
) -> Iterator[Finding | Unknown | Evidence]:
    """
    Each agent writes a stream aws-network-policy-agent-audit-… of its own into /aws/eks/CLUSTER/cluster. Where there is none
    although sending is on, permissions or the way to CloudWatch are missing. An agent that cannot read its cluster's name from
    the instance's tags writes to /aws/k8s-cluster/cluster instead.
    """
    if agent_logging is None or not agent_logging.sends:
        raise NotApplicable("the agent does not send to CloudWatch")
    if isinstance(log_streams, Unread):
        yield Unknown(Subject("LogGroup", "/aws/eks"), log_streams.reason)
        return
    yield Evidence(f"{log_streams.agent_streams} streams in {log_streams.group}")
    if log_streams.agent_streams and log_streams.exists:
        return
    state = "has no stream of the agent" if log_streams.exists else "does not exist"
    yield Finding(
        subject=Subject("LogGroup", log_streams.group),
        message=f"log group {log_streams.group} {state}",
        remedy="See the permissions of the aws-node role and the way to CloudWatch; look in /aws/k8s-cluster/cluster too.",
        command=f"aws logs describe-log-streams{changing.region} --log-group-name {shlex.quote(log_streams.group)}"
        " --log-stream-name-prefix aws-network-policy-agent-audit-",
    )
