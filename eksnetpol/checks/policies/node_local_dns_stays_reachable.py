"""Pods whose egress is isolated reach the DNS cache of their node, where there is one."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import BEST_PRACTICES, ENFORCING, NotApplicable, check
from eksnetpol.checks.places import show_policies
from eksnetpol.checks.words import count, examples
from eksnetpol.facts.cluster_rules import ClusterRulebook, accepted_address
from eksnetpol.facts.openings import DNS_PORT, ClusterDns
from eksnetpol.model.findings import Evidence, Finding, Severity
from eksnetpol.model.kubernetes import Workload
from eksnetpol.model.snapshot import SourceKind, Unread
from eksnetpol.policy.addresses import NODE_LOCAL_DNS
from eksnetpol.policy.closing import closing
from eksnetpol.policy.isolation import Isolation
from eksnetpol.policy.reach import Blocks, reach

NAME = "node-local-dns"


@check(
    title="pods with isolated egress reach NodeLocal DNSCache",
    severity=Severity.BLOCKER,
    docs=BEST_PRACTICES,
    sources=("https://kubernetes.io/docs/tasks/administer-cluster/nodelocaldns/", "kubernetes/kubernetes#70555"),
    intents=ENFORCING,
)
def node_local_dns_stays_reachable(
    isolation: Isolation,
    egress_blocks: Blocks,
    cluster_dns: ClusterDns | Unread,
    cluster_rulebook: ClusterRulebook | Unread,
    daemonsets: tuple[Workload, ...],
    source: SourceKind,
) -> Iterator[Finding | Evidence]:
    """
    NodeLocal DNSCache runs on the host network and answers at 169.254.20.10, which no selector means. Pods whose kubelet names
    that address need an ipBlock for it. Kubelets keep that setting to themselves, so that all pods with isolated egress are held
    to it; where pods ask the Service's own address, which the cache can listen on too, waive this.
    """
    if not any(d.name == NAME for d in daemonsets):
        where = "these files hold" if source is SourceKind.MANIFESTS else "there is"
        raise NotApplicable(f"{where} no DaemonSet {NAME}")
    universe = isolation.universe
    needed = isolation.egress & ~(0 if isinstance(cluster_dns, Unread) else cluster_dns.pods)
    yield Evidence(f"a DaemonSet {NAME}, and {count(universe.count_pods(needed), 'pod')} with isolated egress")
    if not needed:
        return
    shut = reach(egress_blocks, isolation, NODE_LOCAL_DNS, "UDP", DNS_PORT).refused & needed
    shut &= ~accepted_address(cluster_rulebook, shut, NODE_LOCAL_DNS, "UDP", DNS_PORT)
    for subject, classes in closing(isolation, shut):
        yield Finding(
            subject=subject,
            message=(
                f"isolates egress, and no rule lets {count(universe.count_pods(classes), 'pod')} ask NodeLocal DNSCache at "
                f"{NODE_LOCAL_DNS} on UDP port {DNS_PORT}"
            ),
            remedy=f"Allow an ipBlock {NODE_LOCAL_DNS} on UDP and TCP port {DNS_PORT}, beside the cluster's DNS.",
            command=show_policies(subject.namespace),
            evidence=examples(universe, classes),
        )
