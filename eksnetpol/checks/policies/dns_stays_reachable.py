"""Pods whose egress is isolated still get their names resolved."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import BEST_PRACTICES, ENFORCING, check
from eksnetpol.checks.places import edit, show_policies
from eksnetpol.checks.words import count, examples
from eksnetpol.facts.cluster_rules import ClusterRulebook, accepted_service
from eksnetpol.facts.openings import DNS_NAMESPACE, DNS_PORT, DNS_SERVICE, ClusterDns
from eksnetpol.model.findings import Evidence, Finding, Severity, Subject, Unknown
from eksnetpol.model.snapshot import Unread
from eksnetpol.policy.closing import closing, excepting
from eksnetpol.policy.isolation import Isolation
from eksnetpol.policy.openings import Openings
from eksnetpol.policy.universe import Classes, Universe

SERVICE = Subject("Service", DNS_SERVICE, DNS_NAMESPACE)
REMEDY = "Allow egress on UDP and TCP port 53 to the pods k8s-app=kube-dns of namespace kube-system."


@check(
    title="pods with isolated egress reach the cluster's DNS",
    severity=Severity.BLOCKER,
    docs=BEST_PRACTICES,
    sources=(BEST_PRACTICES, "aws/aws-network-policy-agent#230", "aws/aws-network-policy-agent#120"),
    intents=ENFORCING,
    about="objects",
)
def dns_stays_reachable(
    isolation: Isolation, openings: Openings, cluster_dns: ClusterDns, cluster_rulebook: ClusterRulebook | Unread
) -> Iterator[Finding | Unknown | Evidence]:
    """
    Isolated egress closes DNS like everything else, and then every connection by name ends in a timeout. Pods ask the address of
    the Service kube-dns, which is opened by a rule whose selectors mean that Service, or by a block that holds the address and
    has no `except` there. UDP is what nearly every question goes by; answers that are too long for it come by TCP.
    """
    universe = isolation.universe
    needed = isolation.egress & ~cluster_dns.pods
    yield Evidence(f"{count(universe.count_pods(needed), 'pod')} with isolated egress")
    if not needed:
        return
    told: Classes = 0
    for protocol, severity in (("UDP", None), ("TCP", Severity.WARNING)):
        opening = openings.to(cluster_dns.service, protocol, DNS_PORT)
        shut = needed & ~opening.allowed & ~opening.perhaps & ~told
        shut &= ~accepted_service(cluster_rulebook, shut, cluster_dns.service, universe, protocol, DNS_PORT)
        told |= shut
        consequence = "no name is resolved" if severity is None else "answers too long for UDP do not arrive"
        excepted: Classes = 0
        for subject, place, classes in excepting(opening.found, shut):
            excepted |= classes
            words = f"the except of {place} closes {protocol} port {DNS_PORT} of the cluster's DNS"
            yield _finding(universe, subject, classes, words, consequence, severity, edit(subject))
        for subject, classes in closing(isolation, shut & ~excepted):
            words = f"isolates egress, and no rule opens {protocol} port {DNS_PORT} of the cluster's DNS"
            yield _finding(universe, subject, classes, words, consequence, severity, show_policies(subject.namespace))
        perhaps = needed & opening.perhaps & ~told
        if perhaps:
            told |= perhaps
            pods = count(universe.count_pods(perhaps), "pod")
            yield Unknown(SERVICE, f"whether blocks that {pods} may speak to hold its address: it is not in these files")


def _finding(
    universe: Universe, subject: Subject, classes: Classes, words: str, consequence: str, severity: Severity | None, command: str
) -> Finding:
    return Finding(
        subject=subject,
        message=f"{words} to {count(universe.count_pods(classes), 'pod')}: {consequence}",
        remedy=REMEDY,
        command=command,
        evidence=examples(universe, classes),
        severity=severity,
    )
