"""The agent does not log at level debug for good."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.assets.releases import Matrix
from eksnetpol.checks.declare import CNI_README, NotApplicable, check
from eksnetpol.checks.parts import ENFORCING
from eksnetpol.facts.agent_logging import AgentLogging
from eksnetpol.facts.changing import Changing
from eksnetpol.facts.vpc_cni import DAEMONSET, NAMESPACE
from eksnetpol.model.findings import Evidence, Finding, Severity, Subject, Unknown
from eksnetpol.model.snapshot import Unread
from eksnetpol.model.versions import Release


@check(
    title="the agent's log level is moderate",
    severity=Severity.ADVICE,
    docs=CNI_README,
    sources=("https://github.com/aws/amazon-vpc-cni-k8s/blob/master/charts/aws-vpc-cni/values.yaml",),
    intents=ENFORCING,
)
def log_level_is_moderate(
    agent_logging: AgentLogging | None, agent_release: Release | Unread, releases: Matrix, changing: Changing
) -> Iterator[Finding | Unknown | Evidence]:
    """
    The chart sets level debug, and so does an agent from v1.2.2 on that is told nothing. That is right while policies are rolled
    out; afterwards the logs grow fast on every node, and so does the bill where they are shipped.
    """
    if agent_logging is None:
        raise NotApplicable("aws-node has no network policy agent that is switched on")
    level = agent_logging.level
    subject = Subject("DaemonSet", DAEMONSET, NAMESPACE)
    if not level:
        if isinstance(agent_release, Unread):
            yield Unknown(subject, f"no level is set, and the agent's own is not known: {agent_release.reason}")
            return
        since = releases.feature["debug-by-default"].agent
        level = "debug" if since is not None and agent_release.base >= since else "info"
    yield Evidence(f"level {level}")
    if level == "debug":
        yield Finding(
            subject=subject,
            message="the agent logs at level debug",
            remedy=f"Log at level info once policies are rolled out, {changing.place}.",
            command=changing.set("nodeAgent.logLevel", "info"),
        )
