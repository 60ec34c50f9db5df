"""Pods with EKS Pod Identity still reach its agent."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import ENFORCING, LIMIT, check
from eksnetpol.checks.words import count, few, workloads
from eksnetpol.facts.cluster_rules import ClusterRulebook, accepted_address
from eksnetpol.facts.credentials import AccountPods, Source
from eksnetpol.model.findings import Evidence, Finding, Severity
from eksnetpol.model.snapshot import Unread
from eksnetpol.policy.addresses import POD_IDENTITY_AGENT
from eksnetpol.policy.closing import closing, excepting
from eksnetpol.policy.isolation import Isolation
from eksnetpol.policy.reach import Blocks, reach

PORT = 80


@check(
    title="pods with EKS Pod Identity reach its agent",
    severity=Severity.BLOCKER,
    docs=LIMIT,
    sources=(LIMIT, "https://docs.aws.amazon.com/eks/latest/userguide/pod-identities.html"),
    intents=ENFORCING,
)
def pod_identity_agent_stays_reachable(
    isolation: Isolation,
    egress_blocks: Blocks,
    account_pods: AccountPods,
    ip_family: str,
    cluster_rulebook: ClusterRulebook | Unread,
) -> Iterator[Finding | Evidence]:
    """
    EKS Pod Identity hands out credentials by an agent on each node, at 169.254.170.23 or fd00:ec2::23, TCP port 80. It is on the
    host network, so that no selector means it: an egress policy needs an ipBlock for it, or every AWS call of the pod fails.
    """
    address = POD_IDENTITY_AGENT[ip_family == "ipv6"]
    needed = account_pods.of(Source.POD_IDENTITY) & isolation.egress
    universe = isolation.universe
    yield Evidence(f"{count(universe.count_pods(needed), 'egress-isolated pod')} with EKS Pod Identity")
    if not needed:
        return
    found = reach(egress_blocks, isolation, address, "TCP", PORT)
    needed &= ~accepted_address(cluster_rulebook, needed, address, "TCP", PORT)
    excepted = 0
    for subject, place, classes in excepting(found, needed):
        excepted |= classes
        yield Finding(
            subject=subject,
            message=(
                f"the except of {place} closes {address} to {count(universe.count_pods(classes), 'pod')} with EKS Pod Identity, "
                "whatever other rules allow"
            ),
            remedy=f"Allow {address}, TCP port {PORT}, in a rule with exactly that ipBlock.",
            command=f"kubectl edit {subject.kind.lower()} {subject.name} -n {subject.namespace}",
            evidence=few(str(w) for w in workloads(universe.members(classes))),
        )
    for subject, classes in closing(isolation, found.refused & needed & ~excepted):
        yield Finding(
            subject=subject,
            message=(
                f"isolates {count(universe.count_pods(classes), 'pod')} with EKS Pod Identity, and no rule lets them reach "
                f"{address} on TCP port {PORT}: they get no credentials"
            ),
            remedy=f"Allow an ipBlock {address} on TCP port {PORT} in their egress.",
            command=f"kubectl get networkpolicies -n {subject.namespace} -o yaml",
            evidence=few(str(w) for w in workloads(universe.members(classes))),
        )
