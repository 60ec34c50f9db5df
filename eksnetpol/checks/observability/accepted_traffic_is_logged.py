"""The event log is not taken for complete where it holds denials alone."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.assets.releases import Matrix
from eksnetpol.checks.declare import TROUBLESHOOT, NotApplicable, check
from eksnetpol.checks.parts import ENFORCING
from eksnetpol.facts.agent_logging import AgentLogging
from eksnetpol.facts.changing import Changing
from eksnetpol.facts.vpc_cni import DAEMONSET, NAMESPACE
from eksnetpol.model.findings import Evidence, Finding, Severity, Subject, Unknown
from eksnetpol.model.snapshot import Unread
from eksnetpol.model.versions import Release


@check(
    title="event logs hold accepted traffic too",
    severity=Severity.ADVICE,
    docs=TROUBLESHOOT,
    sources=("aws/aws-network-policy-agent#409",),
    intents=ENFORCING,
)
def accepted_traffic_is_logged(
    agent_logging: AgentLogging | None, agent_release: Release | Unread, releases: Matrix, changing: Changing
) -> Iterator[Finding | Unknown | Evidence]:
    """
    From agent v1.2.2 on accepted connections are logged at level debug alone; at any other level the event log holds denials.
    That is what most people want, but who reads it to learn which traffic there is sees only half.
    """
    if agent_logging is None or not agent_logging.events:
        raise NotApplicable("event logs are off")
    since = releases.feature["drop-metrics"].agent
    subject = Subject("DaemonSet", DAEMONSET, NAMESPACE)
    if isinstance(agent_release, Unread):
        if agent_logging.level != "debug":
            yield Unknown(subject, f"whether level {agent_logging.level or 'unset'} matters: {agent_release.reason}")
        return
    if since is None or agent_release.base < since:
        raise NotApplicable(f"agent {agent_release} logs accepted traffic at every level")
    level = agent_logging.level or "debug"
    yield Evidence(f"agent {agent_release}, level {level}")
    if level != "debug":
        yield Finding(
            subject=subject,
            message=f"at level {level} only denied connections are logged",
            remedy=f"Log at level debug while you need to see what is accepted, {changing.place}.",
            command=changing.set("nodeAgent.logLevel", "debug"),
        )
