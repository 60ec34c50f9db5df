"""Names are short enough for what the agent makes of them."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.assets.releases import Matrix
from eksnetpol.checks.declare import ENFORCING, LIMIT, check
from eksnetpol.checks.words import count, few
from eksnetpol.facts.changing import Changing
from eksnetpol.model.findings import Finding, Severity, Subject, Unknown
from eksnetpol.model.kubernetes import Workload
from eksnetpol.model.snapshot import Unread, Why
from eksnetpol.model.versions import Release
from eksnetpol.policy.isolation import Isolation

POLICY = 58
"""From this length on the API server cuts the dash off that ends the name of a policy in the names of its PolicyEndpoints."""
CRONJOB = 48
"""Up to this length the pods of a CronJob keep the name of their Job: 10 characters more, of 58 that the API server leaves."""


@check(
    title="names of policies and workloads are short enough for the agent",
    severity=Severity.WARNING,
    docs=LIMIT,
    sources=("aws/aws-network-policy-agent#145", "aws/aws-network-policy-agent#665", "aws/aws-network-policy-agent#671"),
    intents=ENFORCING,
    about="objects",
)
def names_fit_the_agent(
    isolation: Isolation,
    cronjobs: tuple[Workload, ...] | Unread,
    agent_release: Release | Unread,
    releases: Matrix,
    changing: Changing,
) -> Iterator[Finding | Unknown]:
    """
    The agent tells policies and pods by names it takes apart at the last dash. Where a name is so long that the API server cuts
    it, there is no such dash: of a policy of 58 characters or more one PolicyEndpoint that goes can open its pods, and all Jobs
    of a CronJob with more than 48 characters count as one. Agents before v1.1.3 attach nothing to pods with a dot in their names.
    """
    for subjects in isolation.subjects:
        if len(subjects.policy.metadata.name) >= POLICY:
            yield Finding(
                subject=subjects.subject,
                message=(
                    f"its name has {len(subjects.policy.name)} characters; from {POLICY} on the agent misreads it, and can open "
                    "its pods when one of its PolicyEndpoints goes"
                ),
                remedy="Make it anew under a shorter name, then delete this one.",
                command=f"kubectl get policyendpoints -n {subjects.policy.namespace}",
            )
    busy = {s.policy.namespace for s in isolation.subjects}
    for job in () if isinstance(cronjobs, Unread) else cronjobs:
        if len(job.name) > CRONJOB and job.namespace in busy:
            yield Finding(
                subject=Subject("CronJob", job.name, job.namespace),
                message=f"its name has {len(job.name)} characters; with more than {CRONJOB} the agent cannot tell its Jobs apart",
                remedy="Give it a shorter name.",
                command=f"kubectl get cronjob {job.name} -n {job.namespace} -o yaml",
            )
    since = releases.feature["dotted-pod-names"]
    if isinstance(agent_release, Unread) and agent_release.why is Why.ABSENT:
        return
    if isinstance(agent_release, Release) and (since.agent is None or agent_release.base >= since.agent):
        return
    universe = isolation.universe
    dotted = [p for c in universe.members(isolation.either) for p in c.pods if "." in p.metadata.name]
    if dotted and isinstance(agent_release, Unread):
        subject = Subject("Pod", dotted[0].name, dotted[0].namespace)
        yield Unknown(subject, f"whether the agent reads names with dots: {agent_release.reason}")
    elif dotted and since.cni is not None:
        yield Finding(
            subject=Subject("DaemonSet", "aws-node", "kube-system"),
            message=f"agent {agent_release} attaches nothing to {count(len(dotted), 'isolated pod')} with a dot in their names",
            remedy=f"Upgrade to VPC CNI {since.cni} with agent {since.agent} or later.",
            command=changing.upgrade(since.cni),
            evidence=few(f"pod/{p.namespace}/{p.name}" for p in dotted),
        )
