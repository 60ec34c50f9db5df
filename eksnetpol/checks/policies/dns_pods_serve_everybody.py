"""Policies of kube-system leave the cluster's DNS working."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import BEST_PRACTICES, ENFORCING, NotApplicable, check
from eksnetpol.checks.places import show_policies
from eksnetpol.checks.words import count, listed
from eksnetpol.facts.cluster_rules import ADMIN, ClusterRulebook, accepted, accepted_service
from eksnetpol.facts.openings import DNS_NAMESPACE, DNS_PORT, ClusterDns
from eksnetpol.model.findings import Evidence, Finding, Severity, Subject, Unknown
from eksnetpol.model.kubernetes import Service
from eksnetpol.model.snapshot import Unread
from eksnetpol.policy.isolation import Isolation
from eksnetpol.policy.openings import Openings, blocks_that_admit, lets_in
from eksnetpol.policy.reach import Blocks
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.universe import Classes, Universe

EVERYWHERE = ("0.0.0.0/0", "::/0")
API_PORT = 443


@check(
    title="policies of kube-system leave the cluster's DNS working",
    severity=Severity.BLOCKER,
    docs=BEST_PRACTICES,
    sources=("aws/amazon-vpc-cni-k8s#2928", BEST_PRACTICES),
    intents=ENFORCING,
)
def dns_pods_serve_everybody(
    isolation: Isolation,
    openings: Openings,
    ingress_blocks: Blocks,
    cluster_dns: ClusterDns,
    services: tuple[Service, ...] | Unread,
    cluster_rulebook: ClusterRulebook | Unread,
) -> Iterator[Finding | Unknown | Evidence]:
    """
    A policy that closes kube-system closes CoreDNS with it. Its pods must let every pod in on UDP and TCP port 53, and must get
    out: to the API server, from which they learn of Services, and to a resolver for all other names, which is the VPC's. What one
    of these closes is a failure of the whole cluster.
    """
    dns, universe = cluster_dns.pods, isolation.universe
    if not dns & isolation.policed:
        raise NotApplicable("no pods of the cluster's DNS are known here")
    yield Evidence(f"{count(universe.count_pods(dns), 'pod')} of the cluster's DNS")
    names = listed(p.name for c in universe.members(dns) for p in isolation.policies_of(c))
    subject = Subject("Namespace", DNS_NAMESPACE)
    if dns & isolation.ingress:
        shut = isolation.policed & ~_let_in(openings, ingress_blocks, dns, cluster_rulebook)
        if shut:
            pods, spaces = universe.count_pods(shut), [n for n, c in universe.in_namespace.items() if c & shut]
            yield Finding(
                subject=subject,
                message=(
                    f"the pods of the cluster's DNS do not let {count(pods, 'pod')} of {listed(spaces, 3)} in on UDP and TCP "
                    f"port {DNS_PORT}: closed by {names}"
                ),
                remedy=f"Allow ingress from all namespaces (namespaceSelector: {{}}) on UDP and TCP port {DNS_PORT}.",
                command=show_policies(DNS_NAMESPACE),
            )
    if not dns & isolation.egress:
        return
    shut = dns & isolation.egress & ~blocks_that_admit(openings.blocks, EVERYWHERE, "UDP", DNS_PORT)
    if shut & ~accepted(cluster_rulebook, Direction.EGRESS, shut, lambda r: r.takes("UDP", DNS_PORT) and r.names_networks):
        yield Finding(
            subject=subject,
            message=f"the pods of the cluster's DNS reach no resolver: no block is open on UDP port {DNS_PORT} ({names})",
            remedy=f"Allow egress to an ipBlock of the VPC's resolver (its second address) on UDP and TCP port {DNS_PORT}.",
            command=show_policies(DNS_NAMESPACE),
        )
    listing = () if isinstance(services, Unread) else services
    api = next((s for s in listing if (s.namespace, s.name) == ("default", "kubernetes")), None)
    if api is None:
        yield Unknown(subject, "whether the pods of the cluster's DNS reach the API server, whose address is not known here")
        return
    shut = dns & isolation.egress & ~openings.to(api, "TCP", API_PORT).allowed
    if shut & ~accepted_service(cluster_rulebook, shut, api, universe, "TCP", API_PORT):
        yield Finding(
            subject=subject,
            message=f"the pods of the cluster's DNS cannot reach the API server at {api.spec.cluster_ip}: closed by {names}",
            remedy=f"Allow egress to an ipBlock of {api.spec.cluster_ip} alone on TCP port {API_PORT}.",
            command=show_policies(DNS_NAMESPACE),
        )


def _let_in(openings: Openings, blocks: Blocks, dns: Classes, rulebook: ClusterRulebook | Unread) -> Classes:
    """Return the classes that all pods of *dns* let in on port 53, by both protocols."""
    isolation, peers = openings.isolation, openings.peers
    answer = isolation.universe.everything
    for protocol in ("UDP", "TCP"):
        let: Classes = 0
        if not dns & ~blocks_that_admit(blocks, EVERYWHERE, protocol, DNS_PORT):
            # Whose addresses a block holds is not asked: it was written for somebody who asks names.
            continue
        for who, selected in lets_in(peers, isolation.universe.everything, isolation, openings.ports, protocol, DNS_PORT):
            if not dns & ~selected:
                let |= who
        answer &= let | _accepted(rulebook, isolation.universe, dns, protocol)
    return answer


def _accepted(rulebook: ClusterRulebook | Unread, universe: Universe, dns: Classes, protocol: str) -> Classes:
    """Return whom cluster policies let in to all pods of *dns* before other policies are asked."""
    answer: Classes = 0
    for placed in () if isinstance(rulebook, Unread) else rulebook.of(ADMIN, Direction.INGRESS):
        if placed.rule.action.allows and not dns & ~placed.selected and placed.takes(protocol, DNS_PORT):
            answer |= placed.classes(universe)
    return answer
