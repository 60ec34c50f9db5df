"""Pods on Auto Mode nodes reach DNS by its address."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import AUTO_MODE, ENFORCING, NotApplicable, check
from eksnetpol.checks.places import show_policies
from eksnetpol.checks.words import by_namespace, count, some
from eksnetpol.facts.cluster_rules import ClusterRulebook, accepted_address
from eksnetpol.facts.openings import DNS_PORT, ClusterDns
from eksnetpol.facts.platform import NodeKinds
from eksnetpol.model.findings import Evidence, Finding, Severity
from eksnetpol.model.snapshot import Unread
from eksnetpol.policy.openings import Openings
from eksnetpol.policy.universe import set_of


@check(
    title="pods on Auto Mode nodes are let to DNS by its address",
    severity=Severity.WARNING,
    docs=AUTO_MODE,
    sources=(AUTO_MODE, "aws/containers-roadmap#2552", "aws/containers-roadmap#2546"),
    intents=ENFORCING,
)
def dns_of_auto_nodes_is_opened_by_address(
    openings: Openings, cluster_dns: ClusterDns, cluster_rulebook: ClusterRulebook | Unread, node_kinds: NodeKinds
) -> Iterator[Finding | Evidence]:
    """
    Nodes of EKS Auto Mode answer DNS themselves, at the address of the Service kube-dns. No pod is behind it that a selector
    could mean, so a rule for the pods k8s-app=kube-dns may open nothing there: it takes an ipBlock of that address.
    """
    if not node_kinds.auto:
        raise NotApplicable("no node is of EKS Auto Mode")
    isolation = openings.isolation
    universe = isolation.universe
    nodes = {n.name for n in node_kinds.auto}
    needed = isolation.egress & ~cluster_dns.pods
    here = set_of(c.index for c in universe.members(needed) if any(p.spec.node_name in nodes for p in c.pods))
    yield Evidence(f"{len(nodes)} nodes of EKS Auto Mode")
    opening = openings.to(cluster_dns.service, "UDP", DNS_PORT)
    address = cluster_dns.service.spec.cluster_ip
    unsure = here & opening.by_selector & ~opening.by_block & ~opening.perhaps
    unsure &= ~accepted_address(cluster_rulebook, unsure, address, "UDP", DNS_PORT)
    for group in by_namespace(universe, unsure):
        yield Finding(
            subject=group.subject,
            message=f"{count(group.pods, 'pod')} on Auto Mode nodes are let to DNS by selectors alone, which may not mean it",
            remedy=f"Allow egress to an ipBlock of {f'{address}/32' if cluster_dns.is_known else 'the address of kube-dns'} on "
            f"UDP and TCP port {DNS_PORT}.",
            command=show_policies(group.namespace),
            evidence=some(str(w) for w in group.workloads),
        )
