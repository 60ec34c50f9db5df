"""Cluster policies deny nothing that every pod lives on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from eksnetpol.checks.declare import ENFORCING, NotApplicable, check
from eksnetpol.checks.places import edit
from eksnetpol.checks.words import count, examples
from eksnetpol.facts.cluster_rules import ADMIN, BASELINE, ClusterRulebook, PlacedRule
from eksnetpol.facts.credentials import AccountPods, Source
from eksnetpol.facts.openings import DNS_PORT, ClusterDns
from eksnetpol.model.cluster_rules import Action
from eksnetpol.model.findings import Finding, Severity
from eksnetpol.model.kubernetes import Service
from eksnetpol.model.snapshot import Unread
from eksnetpol.policy.addresses import POD_IDENTITY_AGENT
from eksnetpol.policy.isolation import Isolation
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.universe import Classes

KUBERNETES = ("default", "kubernetes")


@check(
    title="cluster policies deny no pod its DNS, API server or credentials",
    severity=Severity.BLOCKER,
    docs="https://docs.aws.amazon.com/eks/latest/userguide/cni-network-policy.html",
    sources=("aws/containers-roadmap#2725", "https://github.com/aws/aws-network-policy-agent"),
    intents=ENFORCING,
    about="objects",
)
def cluster_denials_spare_the_system(
    cluster_rulebook: ClusterRulebook,
    isolation: Isolation,
    cluster_dns: ClusterDns | Unread,
    services: tuple[Service, ...] | Unread,
    account_pods: AccountPods | Unread,
) -> Iterator[Finding]:
    """
    A rule of the Admin tier that denies comes before every NetworkPolicy, so that no team can take back what it closes: DNS, the
    API server, or the agent that hands out EKS Pod Identity's credentials. One of the Baseline tier closes the same to pods that
    no NetworkPolicy selects. Selectors mean Services too: to deny a namespace is to deny the addresses of its Services.
    """
    if not any(r.rule.action is Action.DENY for r in cluster_rulebook.rules):
        raise NotApplicable("no ClusterNetworkPolicy denies anything")
    universe, policed = isolation.universe, isolation.policed
    targets: list[tuple[str, Classes, Callable[[PlacedRule], bool]]] = []
    if isinstance(cluster_dns, ClusterDns):
        dns = cluster_dns.service
        concerned = policed & ~cluster_dns.pods
        words = f"DNS (UDP port {DNS_PORT} of kube-dns)"
        targets.append((words, concerned, lambda r: r.takes("UDP", DNS_PORT) and r.means_service(dns, universe)))
    api = next((s for s in (() if isinstance(services, Unread) else services) if (s.namespace, s.name) == KUBERNETES), None)
    if api is not None:
        targets.append(("the API server", policed, lambda r: r.takes("TCP", 443) and r.means_service(api, universe)))
    if isinstance(account_pods, AccountPods):
        with_identity = policed & account_pods.of(Source.POD_IDENTITY)
        targets.append(
            (
                "the agent of EKS Pod Identity",
                with_identity,
                lambda r: r.takes("TCP", 80) and any(r.means_address(a) for a in POD_IDENTITY_AGENT),
            )
        )
    for what, concerned, hits in targets:
        for placed, classes in _denied(cluster_rulebook, isolation, concerned, hits):
            yield Finding(
                subject=placed.subject,
                message=f"{placed.place} denies {what} to {count(universe.count_pods(classes), 'pod')}",
                remedy="Accept it in a rule of a lower priority number, or leave it out of what is denied.",
                command=edit(placed.subject),
                evidence=examples(universe, classes),
            )


def _denied(
    rulebook: ClusterRulebook, isolation: Isolation, concerned: Classes, hits: Callable[[PlacedRule], bool]
) -> Iterator[tuple[PlacedRule, Classes]]:
    """Yield the rules that deny what *hits* recognizes, with the classes of *concerned* whose first word they have."""
    accepted = passed = 0
    for tier in (ADMIN, BASELINE):
        # The Baseline tier is asked where no NetworkPolicy isolates the pod, in either direction.
        left = concerned & ~accepted & ~passed if tier == ADMIN else concerned & ~accepted & ~isolation.either
        for placed in rulebook.of(tier, Direction.EGRESS):
            mine = placed.selected & left
            if mine and hits(placed):
                left &= ~mine
                if placed.rule.action is Action.DENY:
                    accepted |= mine
                    yield placed, mine
                elif placed.rule.action.allows:
                    accepted |= mine
                else:
                    passed |= mine
